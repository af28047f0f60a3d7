"""The manager's decisions: each message goes to the part that it is for, and the end of the batch decides the rest."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from caroni_edge.base.moment import Moment
from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.commands import WorkflowCommands
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.copies import Copies
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.holding.news import NewsOfFiles
from caroni_edge.manager.holding.port import NO_STORE, Storekeeper, StoreNews
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.jobs.handover import Handover
from caroni_edge.manager.jobs.logs import JobLogs, Tail
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.notifications.notifications import Notifications
from caroni_edge.manager.offers.demand import Demand
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.offers.placing import Placing
from caroni_edge.manager.offers.policy import FirstCome
from caroni_edge.manager.peers.away import Away
from caroni_edge.manager.peers.depots import Depots
from caroni_edge.manager.peers.fleet import Fleet
from caroni_edge.manager.peers.objects import AgentObjects
from caroni_edge.manager.peers.reconcile import Reconciliation
from caroni_edge.manager.peers.stalls import Stalls
from caroni_edge.manager.retention import Retention
from caroni_edge.manager.schedules.schedules import Schedules
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.triggers.brought import Brought
from caroni_edge.manager.triggers.evaluation import Evaluated
from caroni_edge.manager.triggers.pauses import Pauses
from caroni_edge.manager.triggers.rules import Rules
from caroni_edge.manager.triggers.triggers import Triggers
from caroni_edge.manager.workflows.acting import Acting
from caroni_edge.manager.workflows.attempts import Attempts
from caroni_edge.manager.workflows.bulk import Bulk
from caroni_edge.manager.workflows.delays import Delays
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.evaluations import Ask, Evaluations, Outcome
from caroni_edge.manager.workflows.largelists import LargeLists
from caroni_edge.manager.workflows.listreading import AskList, Items, no_lists
from caroni_edge.manager.workflows.looks import Looks
from caroni_edge.node.parts import Handler, Part
from caroni_edge.node.reactor import Forgotten
from caroni_edge.objects.filework import ObjectsLost
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsRefused
from caroni_edge.protocol.keeping import ObjectsGone, ObjectsHere
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobOffer,
    JobStatusUpdate,
    Message,
    MessageRejected,
    OfferAccept,
    Presence,
)
from caroni_edge.protocol.objects import ObjectBad
from caroni_edge.protocol.reconciling import JobsHere
from caroni_edge.protocol.topics import Request
from caroni_edge.transport.base import Arrived

log = logging.getLogger(__name__)


class ManagerReactor(WorkflowCommands):
    """Implements `caroni_edge.node.reactor.Reactor` for a manager, and the commands of its API.

    Attributes:
        copies: What is fetched from agents for people.
        holdings: What the manager itself holds.
        notifications: What is told outside.
        objects: Who has which objects.
    """

    _whose = "a manager"

    def __init__(
        self,
        context: Context,
        templates: Templates,
        ask: Ask,
        storekeeper: Storekeeper = NO_STORE,
        ask_list: AskList = no_lists,
    ) -> None:
        """Put the parts together.

        `ask` has expressions worked out, `ask_list` large lists read; `storekeeper` keeps the manager's own objects.
        """
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        orders = Orders(context)
        self.holdings = Holdings(context, storekeeper)
        self.copies = Copies(context, self.holdings, orders.files, storekeeper)
        engine = self._engine = Engine(context, orders, self.holdings)
        self._attempts = Attempts(context, self._engine, orders)
        holds, handover = Holds(context.journal), Handover(context.store, engine.plan)
        self._placing = Placing(context, FirstCome(), holds, orders.files, handover)
        self._stalls = Stalls(context, self._engine.statuses, orders.files)
        self._fleet = Fleet(context, self._stalls, self._attempts.failures, holds, orders.files)
        self._demand, self._logs = Demand(context, self._fleet.count_serving), JobLogs(context)
        self.objects = AgentObjects(context, self._engine, self.holdings, orders)
        self._depots, self._away = Depots(context, orders, engine.drops), Away(context)
        self._reconciliation = Reconciliation(context, engine, self._attempts, orders, self._logs, holds, handover)
        self._acting = Acting(context, engine, orders)
        self._pauses, self._bulk = Pauses(context, engine), Bulk(context, self._acting)
        brought = Brought(context, engine, self._acting, self._pauses, self.holdings, self.copies, storekeeper)
        self._triggers = Triggers(context, self._engine, self._pauses, self.holdings, brought, templates)
        self._rules, self._schedules = Rules(context, self._triggers), Schedules(context, self._triggers)
        self._lists = LargeLists(context, engine, self.holdings, ask_list)
        self._looks = Looks(context, self.copies, self.holdings, self._lists)
        self._files = NewsOfFiles(self.objects, self._looks, brought, self.copies)
        self._evaluations, self.notifications = Evaluations(context, self._engine, ask), Notifications(context)
        self._parts = self._in_order(brought)
        self.handlers = self._handlers(orders.files)

    def _in_order(self, brought: Brought) -> tuple[Part, ...]:
        """Return the parts in the order in which they decide.

        What an agent holds comes before all that is decided about it, and the demand that is left comes last.
        """
        return (
            self._reconciliation,
            self._logs,
            self._triggers,
            self._rules,
            self._schedules,
            self._pauses,
            self._bulk,
            Delays(self._context, self._engine),
            self._engine,
            self._looks,
            self._lists,
            self._evaluations,
            self._depots,
            self._away,
            self._attempts.remaking,
            self._placing,
            self._fleet,
            self._stalls,
            self._demand,
            self.notifications,
            self.holdings,
            self.copies,
            brought,
            Retention(self._context, self._engine.drops),
        )

    def _handlers(self, files: JobFiles) -> Mapping[type, Handler]:
        """Return who takes messages of each kind."""
        return MappingProxyType(
            {
                JobOffer: self._placing.on_offer,
                JobAccepted: lambda agent, message, _at: self._attempts.on_accepted(agent, message),
                JobDecline: self._reconciliation.on_declined,
                JobStatusUpdate: self._reconciliation.on_status,
                JobsHere: self._reconciliation.on_jobs_here,
                JobLog: self._logs.on_log,
                ObjectsHere: self.objects.on_here,
                ObjectsGone: self.objects.on_gone,
                ObjectBad: files.on_bad,
                ObjectsHeld: self._depots.on_held,
                ObjectsRefused: self._depots.on_refused,
                MessageRejected: lambda agent, message, at: self._reject(agent, message.jobs, message.reason, at),
            }
        )

    # What arrives

    def on_presence(self, peer: str, presence: Presence | None, at: Moment) -> None:
        """Take the presence of an agent."""
        with self._depots.compared(peer):
            self._demand.say_to_newcomer(self._fleet.on_presence(peer, presence, at))
        self._away.heard(peer, at, is_online=presence is not None and presence.online)

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> None:
        """Managers demand nothing of managers."""

    def on_rejected_here(self, peer: str, message_type: str, jobs: tuple[str, ...], reason: str, at: Moment) -> None:
        """A message could not be handled here: its jobs' attempts end, or the agent is asked which jobs it has."""
        self._reject(peer, jobs, f"{message_type}: {reason}", at)
        if message_type == JobsHere.__name__:
            self._reconciliation.ask_later(peer, at)  # its answer is not complete

    def on_undeliverable(self, peer: str, message: Message, reason: str, at: Moment) -> None:
        """A message of ours is too large for the broker: the job that it was about fails, and is not asked for again.

        One about several jobs is of an older release, or the broker lets pass very little: each is sent by itself.
        """
        match message:
            case OfferAccept(jobs=(placed,)):
                self._attempts.fail_undelivered(peer, placed.job, reason, at)
            case OfferAccept(offer=offer, jobs=jobs, last=is_last):
                for placed in jobs:
                    last = is_last and placed is jobs[-1]
                    self._context.outbox.put(peer, OfferAccept(offer=offer, jobs=(placed,), last=last))
            case JobDataReady(job=job):
                self._attempts.fail_undelivered(peer, job, reason, at)
            case _:
                pass  # no other message of a manager is large

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        """Somebody starts a workflow."""
        self._triggers.on_trigger(event, at)

    def on_trigger_settled(self, packet_id: int) -> None:
        """The broker cannot repeat a trigger any more."""
        self._triggers.on_settled(packet_id)

    def on_reading(self, found: Sequence[Evaluated], at: Moment) -> None:
        """A message on a topic that rules look at has come; they have worked out what it means to them."""
        self._rules.take(found, at)

    def on_listening(self, filters: Sequence[str], at: Moment, *, is_session_new: bool) -> None:
        """The broker has these subscriptions of the rules' session, and no others."""
        self._rules.listens(filters, at, is_session_new=is_session_new)

    def listened(self) -> list[str]:
        """Return which subscriptions of the rules' session the broker was asked for before."""
        return [each.filter for each in self._store.rules.filters()]

    def on_evaluated(self, outcome: Outcome, at: Moment) -> None:
        """The expressions of a step have been worked out; a repeat changes nothing."""
        if outcome.lost is not None:
            self.on_files(ObjectsLost((outcome.lost,)), at)
        self._evaluations.on_evaluated(outcome, at)

    def on_items(self, items: Items, at: Moment) -> None:
        """Large lists have been read for a scattered step; a repeat changes nothing."""
        if items.lost is not None:
            self.on_files(ObjectsLost((items.lost,)), at)
        self._lists.on_items(items, at)

    def on_files(self, news: StoreNews, at: Moment) -> None:
        """Take what there is to know of the objects of this manager."""
        self._files.take(news, at)

    # What the node asks

    def open_peers(self) -> Iterable[str]:
        """Return the agents with whom jobs are open."""
        return self._store.jobs.agents_with_open()

    def subscriptions(self) -> Iterable[tuple[str, int]]:
        """Return where triggers come from, and questions, which nobody is to keep for us while we are away."""
        topics = self._context.topics
        return [(topics.triggers, 1), *([(topics.questions, 0)] if self.settings.people is not None else [])]

    def presence(self) -> Mapping[str, object]:
        """A manager says no more than that it is there."""
        return {}

    def presence_changed(self) -> bool:
        """It never changes."""
        return False

    # Commands of the API (those on workflows: `WorkflowCommands`)

    def request_log(self, job: str, *, whole: bool = False) -> None:
        """Ask the agent of a job for the next piece of its log, unless all that we keep has come."""
        self._logs.request(job, whole=whole)

    def request_log_tail(self, job: str) -> tuple[Tail | None, bool]:
        """Return the end of a job's log, if it is a long one, and whether more was asked for (see `JobLogs`)."""
        return self._logs.request_tail(job)

    def forget_peer(self, peer: str, at: Moment) -> Forgotten:
        """Forget an agent that will not come back; its jobs are asked for anew."""
        self._placing.forget(peer)
        self._reconciliation.forget(peer)
        return self._fleet.forget(peer, at)

    @property
    def settings(self) -> ManagerConfig:
        """The settings that are in force now; any thread may ask."""
        return self._context.settings

    def unanswered_s(self, agent: str, now: float) -> float:
        """Return for how many seconds an agent has owed us an answer while we were connected; any thread may ask."""
        return self._context.silent_for(agent, now)

    def reload(self, settings: ManagerConfig, templates: Templates) -> None:
        """Take over what may change while the manager runs."""
        self._context.settings = settings
        self._context.events.replies = settings.reply_to
        self.take_templates(templates)
        self._fleet.reload()
        self._depots.reload()
        self._stalls.reload()
        self._rules.reload()
        self._schedules.reload()
        self.notifications.reload()
        self.hurry()

    def take_templates(self, templates: Templates) -> None:
        """Start workflows of these templates from now on."""
        self._triggers.templates = templates

    def set_disk_problem(self, problem: str | None) -> None:
        """Refuse triggers with this reason; None when there is room again."""
        self._triggers.disk_problem = problem

    def _reject(self, agent: str, jobs: Sequence[str], reason: str, at: Moment) -> None:
        """A message was rejected, there or here: its jobs' attempts end; if it names none, we reconcile."""
        self._attempts.reject(agent, jobs, reason, at)
        self._logs.ask_again()
        if not jobs:
            self._reconciliation.ask_later(agent, at)
