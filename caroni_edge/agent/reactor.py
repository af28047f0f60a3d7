"""The agent's decisions: each message goes to the part that it is for, and the end of the batch decides the rest."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType

from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.aside import Aside
from caroni_edge.agent.jobs.bucket import InBucket
from caroni_edge.agent.jobs.deeds import Deeds
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.fetching import Fetching
from caroni_edge.agent.jobs.fileroom import FileRoom
from caroni_edge.agent.jobs.intake import Intake
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.logs import JobLogs
from caroni_edge.agent.jobs.news import NewsOfJobs
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.quotas import Quotas, WaitsForRoom
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.jobs.surplus import Surplus
from caroni_edge.agent.jobs.takeover import Takeover
from caroni_edge.agent.jobs.telling import slim
from caroni_edge.agent.jobs.trials import Trials
from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.demanded import Demanded
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.heard import Heard
from caroni_edge.agent.offers.offers import Offers
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.resources import Resources
from caroni_edge.agent.offers.shares import Shares
from caroni_edge.agent.peers.forgetting import Forgetting
from caroni_edge.agent.peers.kept import KeptObjects
from caroni_edge.agent.peers.presence import PresenceSaid
from caroni_edge.agent.peers.reconcile import Reconciliation
from caroni_edge.agent.processes.port import JobNews, JobRunner, TakenOver
from caroni_edge.agent.retention import Retention
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.jobs import TRIAL
from caroni_edge.agent.versions import Versions
from caroni_edge.base.memory import Journal
from caroni_edge.base.moment import Chance, Moment
from caroni_edge.config.model import AgentConfig
from caroni_edge.node.parts import Assembly, Handler
from caroni_edge.node.reactor import Forgotten, Outbox
from caroni_edge.protocol.depots import ObjectsKeep
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.logs import JobLog, JobLogRequest
from caroni_edge.protocol.messages import (
    JobDataReady,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    Message,
    MessageRejected,
    OfferAccept,
    OfferReject,
    Presence,
    Values,
)
from caroni_edge.protocol.objects import ObjectKey, ObjectsCheck, ObjectsWanted
from caroni_edge.protocol.reconciling import JobsWanted
from caroni_edge.protocol.topics import Request, Topics
from caroni_edge.transport.base import Arrived

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AgentParts:
    """What an agent's reactor is put together from.

    Attributes:
        say_running_after_s: Managers hear that a job runs when it has run for so long; of a shorter one only its end.
    """

    settings: AgentConfig
    types: JobTypes
    topics: Topics
    store: Store
    outbox: Outbox
    chance: Chance
    runner: JobRunner
    journal: Journal
    say_running_after_s: float


def _context_of(parts: AgentParts) -> Context:
    in_force = InForce(parts.settings, parts.types, parts.store.facts, parts.journal, able=parts.runner.able)
    deeds = Deeds(parts.runner, parts.journal)
    return Context(parts.topics, parts.store, parts.outbox, parts.chance, in_force, deeds, parts.journal)


class AgentReactor(Assembly):
    """Implements `caroni_edge.node.reactor.Reactor` for an agent, and the commands of its API."""

    _whose = "an agent"

    def __init__(self, parts: AgentParts) -> None:
        """Put the parts together."""
        super().__init__(parts.journal)
        self._topics, self._store, self._outbox, self._runner = parts.topics, parts.store, parts.outbox, parts.runner
        self._context = context = _context_of(parts)
        self._in_force = context.in_force
        ledger, shares = Ledger(context), Shares(context.in_force.weight_of, context.journal)
        self._logs, self._heard = JobLogs(context, parts.runner), Heard(context)
        self._refusals = refusals = Refusals(context)
        resources, depth, demanded = Resources(context), Depth(context, shares), Demanded(context)
        self._offers = offers = Offers(context, refusals, shares, depth, resources, demanded)
        self._objects, self._depot = objects, depot = JobObjects(context), Depot(context)
        quotas, self._locations = Quotas(context), Locations(context, ledger)
        aside = Aside(context)
        self._file_room = FileRoom(context, quotas, depot, self._locations, aside)
        self._fetching = Fetching(context, ledger, self._file_room, depot, aside)
        self._intake = Intake(context, refusals, offers, ledger, objects, self._locations)
        self._slots = Slots(context, refusals, ledger, shares, objects, resources, demanded, parts.say_running_after_s)
        self._bucket = InBucket(context, objects, depot, quotas)
        self._news = NewsOfJobs(refusals, self._slots, objects, self._fetching, self._locations, quotas, self._bucket)
        self._trials = Trials(context, ledger, self._slots, resources)
        self._takeover, self._reconciliation = Takeover(context, self._slots), Reconciliation(context, offers.open)
        self._retention = Retention(context)
        self._presence = PresenceSaid(context, refusals, offers.open, depth, resources, self._file_room, depot)
        self._forgetting = Forgetting(context, self._slots, self._retention, self._presence)
        # Slots are given before what is left is offered, and what is here is told before more is offered to who asks.
        self._parts = (
            self._takeover,
            Versions(context),
            self._heard,
            self._slots,
            Surplus(context, self._slots, shares, ledger),
            self._reconciliation,
            KeptObjects(context),
            offers,
            depth,
            self._retention,
            objects,
            self._fetching,
            self._locations,
            quotas,
            self._bucket,
            self._presence,
            context.deeds,
        )
        self.handlers = self._handlers()

    # What arrives

    def on_start(self, at: Moment) -> None:
        """The process has started: it takes work again, if it was drained, and its parts begin."""
        self._in_force.drain(on=False)
        super().on_start(at)

    @property
    def job_types(self) -> JobTypes:
        """The job types in force; any thread may ask."""
        return self._in_force.types

    @property
    def able(self) -> Able:
        """What jobs can be locked into on this host; any thread may ask."""
        return self._runner.able

    @property
    def refuses(self) -> Mapping[str, str]:
        """What is refused now, and why, by job type or manager (`*`: all), as the presence says; any thread may ask."""
        return self._presence.refuses

    @property
    def waiting_for_room(self) -> Mapping[str, WaitsForRoom]:
        """The jobs for whose files there is no room now, and why; any thread may ask."""
        return self._file_room.waiting

    @property
    def bucket_trouble(self) -> str:
        """Why the bucket of this depot cannot be used, for people; any thread may ask."""
        return self._depot.bucket_trouble

    @property
    def kept(self) -> tuple[int, int]:
        """How many ready jobs are kept beside those that run, and how many without their data; any thread may ask."""
        return self._presence.kept

    @property
    def is_taken_over(self) -> bool:
        """Whether all is taken over that was known beside the database at the start; any thread may ask."""
        return self._takeover.is_done

    def on_taken_over(self, found: TakenOver, at: Moment) -> None:
        """The runner says what is known beside the database: the agent may go on from here."""
        self._takeover.on_taken_over(found, at)
        self.hurry()

    def settle(self, at: Moment) -> None:
        """Let each part decide, but nothing before all is taken over."""
        if self.is_taken_over:
            super().settle(at)

    def next_due(self) -> float:
        """Return when `settle` must run again at the latest."""
        return super().next_due() if self.is_taken_over else inf

    def on_presence(self, peer: str, presence: Presence | None, at: Moment) -> None:
        """Take the presence of a manager."""
        self._heard.on_presence(peer, presence)
        if presence and presence.online:
            self._presence.heard_manager(peer, presence.boot, at)
        else:
            self._presence.forget_manager(peer)

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> None:
        """Take the demand of a manager.

        Raises:
            Unreadable: It is none.
        """
        if self._heard.on_request(topic, payload, at):
            self._offers.standing.on_demand_over(topic.manager, topic.job_type)

    def on_rejected_here(self, peer: str, message_type: str, jobs: tuple[str, ...], reason: str, at: Moment) -> None:
        """A manager's message could not be handled here: it is told, and ends the attempts; jobs here stay."""

    def on_undeliverable(self, peer: str, message: Message, reason: str, at: Moment) -> None:
        """A message of ours is too large for the broker: the manager hears less, and what is left out stays here."""
        match message:
            case JobStatusUpdate():
                self._outbox.put(peer, slim(message))
            case JobLog(job=job, offset=offset):
                self._logs.say(peer, job, offset)
            case _:
                pass  # the link was begun anew with it, and so will be the answer

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        """Agents have no topic for triggers."""

    def on_trigger_settled(self, packet_id: int) -> None:
        """Agents have no topic for triggers."""

    def on_news(self, news: JobNews, at: Moment) -> None:
        """The runner tells something of a job, or of files."""
        self._news.take(news, at)

    def on_disk(self, free_bytes: int, disk_bytes: float = inf) -> None:
        """Note how much of the disk is free, and how much it has."""
        self._refusals.on_disk(free_bytes)
        self._fetching.on_disk(free_bytes, disk_bytes)
        self._locations.on_disk(disk_bytes)
        self._bucket.on_disk(free_bytes)

    # What the node asks

    def open_peers(self) -> Iterable[str]:
        """Return the managers with whom jobs or offers are open."""
        return sorted({*self._store.load.live_managers(), *self._store.offers.open_managers()} - {TRIAL})

    def subscriptions(self) -> Iterable[tuple[str, int]]:
        """Return where the demand for our job types is said."""
        return [(self._topics.requests_for(name), 0) for name in sorted(self._in_force.types.names())]

    def presence(self) -> Mapping[str, object]:
        """Return the job types, what is refused and why, and the slots."""
        return self._presence.facts()

    def presence_changed(self) -> bool:
        """Tell, once for each change, that the presence must be said anew."""
        return self._presence.take_changed()

    # Commands of the owner

    @property
    def settings(self) -> AgentConfig:
        """The settings that are in force now; any thread may ask."""
        return self._in_force.settings

    def reload(self, settings: AgentConfig, types: JobTypes) -> None:
        """Take over what may change while the agent runs; `settle` does the rest."""
        self._in_force.settings, self._in_force.types = settings, types
        self._slots.ahead.recall()
        self._refusals.reload()
        self._heard.reload()
        self._presence.hurry()
        self.hurry()

    def drain(self, *, on: bool) -> None:
        """Take no new work and finish what is here, or take work again."""
        self._in_force.drain(on=on)
        if on:
            self._store.offers.clear()
        self._presence.hurry()
        log.warning("drained" if on else "not drained any more", extra={"action": "drained" if on else "undrained"})

    def pause(self, *, on: bool) -> None:
        """Start nothing, give back what has not begun and let the rest go on, over restarts too; or end that."""
        self._in_force.pause(on=on)
        if on:
            self._store.offers.clear()
        self._presence.hurry()
        log.warning("paused" if on else "not paused any more", extra={"action": "paused" if on else "resumed"})

    def try_job_type(self, name: str, inputs: Values, at: Moment) -> str:
        """Start a trial of a job type; return the job's name (see `Trials.start`)."""
        return self._trials.start(name, inputs, at)

    def kill_job(self, job: str, reason: str, at: Moment) -> JobState | None:
        """End a job at the owner's wish; return its status (running: its end will follow), None for an unknown one."""
        row = self._store.jobs.by_job(job)
        if row is not None:
            self._slots.endings.kill(row, reason, at)
            row = self._store.jobs.by_job(job)
        return row.status if row else None

    def forget_peer(self, peer: str, at: Moment) -> Forgotten:
        """Forget a manager: its running jobs are killed, and nothing more is said to it."""
        return self._forgetting.forget(peer)

    # Messages

    def _handlers(self) -> Mapping[type, Handler]:
        return MappingProxyType(
            {
                OfferAccept: self._intake.on_accept,
                OfferReject: lambda manager, message, at: self._offers.open.on_reject(manager, message.offer, at),
                JobDataReady: self._intake.on_data,
                JobKill: self._on_kill,
                JobStatusRequest: self._intake.on_status_request,
                JobLogRequest: self._logs.on_request,
                JobsWanted: self._on_jobs_wanted,
                ObjectsDrop: self._on_drop,
                ObjectsKeep: self._fetching.on_keep,
                ObjectKey: self._fetching.on_key,
                ObjectsWanted: self._fetching.on_places,
                ObjectsCheck: self._objects.on_check,
                MessageRejected: self._on_rejected_there,
            }
        )

    def _on_jobs_wanted(self, manager: str, message: JobsWanted, at: Moment) -> None:
        self._depot.begin_anew(manager)
        self._reconciliation.on_jobs_wanted(manager, message, at)

    def _on_drop(self, manager: str, message: ObjectsDrop, at: Moment) -> None:
        self._depot.on_drop(manager, message)
        self._objects.on_drop(manager, message, at)

    def _on_kill(self, manager: str, message: JobKill, at: Moment) -> None:
        row = self._store.jobs.by_job(message.job)
        if row is None or row.manager != manager:
            record = {"action": "stale_job_kill", "peer": manager, "job": message.job}
            log.info("ignored: the kill of a job that is not here", extra=record)
        else:
            self._slots.endings.kill(row, message.reason, at)

    def _on_rejected_there(self, manager: str, message: MessageRejected, at: Moment) -> None:
        """The manager could not handle something of ours, and has ended the attempts that it named."""
        record = {"action": "rejected_there", "peer": manager, "message_type": message.message_type}
        log.error("the manager rejected a %s: %s", message.message_type, message.reason, extra=record)
        if message.message_type == JobOffer.__name__:
            self._offers.open.on_unreadable(manager, at)
