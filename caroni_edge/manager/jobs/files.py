"""Where an agent gets the large files of a job from, and what opens them to it: places and tickets."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from math import inf
from typing import Any

import msgspec

from caroni_edge.base.hosts import Host, hosts_said, how_listed
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.objects.objects import ObjectId
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Peer, make_ticket
from caroni_edge.protocol.objects import PLACES_MAX, ObjectBad, ObjectKey, ObjectPlace, ObjectsCheck, ObjectsWanted
from caroni_edge.values.carried import LOCATION, objects_in
from caroni_edge.values.remote import NoAddress, parse_address, remote_in

log = logging.getLogger(__name__)

SPEAKS_OF_FILES = 2
"""Agents that speak an older version of the messages fetch and give nothing."""
SAY_AGAIN_S = 60.0
"""So often at most a key is said again because an agent does not get what it opens."""


class JobFiles(Memory):
    """Names the places of the files of jobs. A holder hears the key of its tickets before the first of them is used.

    Whether that, or the ticket, has come in time nobody needs to know: an agent whose ticket is not taken says so, and
    both are said again.
    """

    def __init__(self, context: Context) -> None:
        """Keep keys in the store of `context`."""
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        self._said: MemoryDict[tuple[str, str], float] = MemoryDict(context.journal)

    def may_go(self, step: StepRow, agent: str) -> bool:
        """Tell whether an agent can take a step as far as its files go: it has them, or can fetch them.

        That is so of a file at an address if its owner lists the host, as far as the agent says so.
        """
        if "://" not in step.inputs and LOCATION not in step.inputs:
            return True
        speaks = self._speaks_of_files(agent)
        if "://" not in step.inputs and speaks:
            return True
        inputs = msgspec.json.decode(step.inputs)
        if speaks:
            return not unlisted(remote_in(inputs), self._store.agents.hosts(agent))
        names = objects_in(inputs)
        return not any(remote_in(inputs)) and all(agent in self._store.places.of(step.workflow, name) for name in names)

    def places(self, step: StepRow, workflow: str, inputs: Mapping[str, Any], agent: str) -> tuple[ObjectPlace, ...]:
        """Return the places, other than the agent itself, of the files that a job takes.

        Args:
            step: Its step.
            workflow: Id of its workflow.
            inputs: Of the job.
            agent: The agent that has the job.
        """
        names = objects_in(inputs)
        at: dict[str, list[str]] = {}
        for name in names:
            for holder in self._store.places.of(step.workflow, name):
                if holder != agent and self._speaks_of_files(holder):
                    at.setdefault(holder, []).append(name)
        return tuple(
            self._opened(holder, workflow, agent, () if len(held) == len(names) else tuple(held))
            for holder, held in sorted(at.items())[:PLACES_MAX]
        )

    def opened(self, holders: Iterable[str], workflow: str, agent: str) -> tuple[ObjectPlace, ...]:
        """Return those of the holders as places, opened to an agent, that give something; all have the same objects."""
        giving = [holder for holder in holders if holder != agent and self._speaks_of_files(holder)]
        return tuple(self._opened(holder, workflow, agent, ()) for holder in giving[:PLACES_MAX])

    def _opened(self, holder: str, workflow: str, agent: str, objects: tuple[str, ...]) -> ObjectPlace:
        key = self._key(holder)
        ticket = make_ticket(key, workflow, Peer("agents", agent))
        return ObjectPlace(
            holder=self._node(holder),
            generation=key.generation,
            ticket=ticket,
            objects=objects,
            direct=self._direct(holder),
        )

    def place(self, holder: str, workflow: str) -> Place | None:
        """Return an agent as a place of what a workflow has there, opened to this manager; None if it gives nothing."""
        if not self._speaks_of_files(holder):
            return None
        key, me = self._key(holder), Peer("managers", self._context.topics.node)
        ticket = make_ticket(key, workflow, me)
        return Place(Peer("agents", holder), workflow, key.generation, ticket, self._direct(holder))

    def say_again(self, holder: str, at: Moment) -> None:
        """Say its key to an agent again, which does not take a ticket of this manager that was made by it."""
        about = self._context.own_place, holder
        keys = self._store.object_keys.of(holder)
        if keys is not None and self._may_say(about, at):
            self._said[about] = at.now
            self._say_key(holder, keys.present)

    def say_places(self, step: StepRow, workflow: str, job: JobRow) -> None:
        """Say to the agent of a job, which may be fetching its files, who has them now."""
        if self._speaks_of_files(job.agent):
            places = self.places(step, workflow, msgspec.json.decode(step.inputs), job.agent)
            self._context.outbox.put(job.agent, ObjectsWanted(job=job.job, places=places))

    def know(self, holder: str) -> None:
        """Let an agent that has files know the key of its tickets, if it does not yet."""
        if self._speaks_of_files(holder):
            self._key(holder)

    def _direct(self, holder: str) -> str:
        """Return where a holder gives files straight to others; empty for nowhere."""
        if holder == self._context.own_place:
            return self._context.settings.files.url or ""
        return self._store.agents.direct(holder)

    def _node(self, holder: str) -> str:
        """Return role and id of a holder, as others know it."""
        return holder if holder == self._context.own_place else f"agents/{holder}"

    def _speaks_of_files(self, agent: str) -> bool:
        """Tell whether an agent gives and fetches files: its presence says so, or its link, once asked."""
        if agent == self._context.own_place:
            return True
        return max(self._store.agents.speaks(agent), self._context.outbox.speaks(agent)) >= SPEAKS_OF_FILES

    def _key(self, holder: str) -> Key:
        keys = self._store.object_keys.of(holder)
        if keys is not None:
            return keys.present
        chance = self._context.chance
        key = Key(1, hashlib.sha256("".join(chance.new_id() for _ in range(4)).encode()).digest())
        self._store.object_keys.put(holder, key)
        self._say_key(holder, key)
        return key

    def _say_key(self, holder: str, key: Key) -> None:
        if holder == self._context.own_place:
            return  # it is this manager, which looks into the same rows
        self._context.outbox.put(holder, ObjectKey(generation=key.generation, secret=key.secret))

    def on_bad(self, agent: str, message: ObjectBad, at: Moment) -> None:
        """Say key and places again, where a ticket was not taken: holder or manager may have an older database.

        Where bytes are wrong or not there, the holder looks at its own.
        """
        facts = {"action": "object_bad", "peer": agent, "job": message.job}
        log.warning("%s gives no %s: %s", message.place, message.object, message.reason, extra=facts)
        job = self._store.jobs.by_id(message.job)
        holder = message.place.removeprefix("agents/")
        if job is None or not job.open or job.agent != agent:
            return
        step = self._store.steps.by_id(job.step)
        if message.reason != "ticket":
            if message.object in step.inputs:
                self.have_checked(step.workflow, holder, ObjectId(message.object), at)
            return
        row = self._store.workflows.by_seq(step.workflow)
        places = self.places(step, row.id, msgspec.json.decode(step.inputs), agent)
        is_place = any(each.holder == message.place for each in places)
        about = agent, holder if is_place else ""
        if not self._may_say(about, at):
            return
        self._said[about] = at.now
        if is_place:
            self._say_key(holder, self._key(holder))
        # Of what is none, to a manager with an older database, the agent has it by a ticket that nobody makes good.
        self._context.outbox.put(agent, ObjectsWanted(job=job.job, places=places))

    def have_checked(self, workflow: int, holder: str, name: ObjectId, at: Moment) -> None:
        """Have a holder look at its own, from which somebody does not get an object of a workflow."""
        if not self._may_say((name, holder), at):
            return
        if holder not in self._store.places.of(workflow, name):
            return
        self._said[name, holder] = at.now
        if holder == self._context.own_place:
            self._context.doubted.add(name)
        else:
            self._context.outbox.put(holder, ObjectsCheck(objects=(name,)))

    def _may_say(self, about: tuple[str, str], at: Moment) -> bool:
        return at.now >= self._said.get(about, -inf) + SAY_AGAIN_S

    def forget(self, agent: str) -> int:
        """Forget the key of an agent that will not come back; return how many rows that were."""
        for pair in [pair for pair in self._said if agent in pair]:
            del self._said[pair]
        return self._store.object_keys.forget(agent)


def unlisted(files: Iterable[Mapping[str, Any]], hosts: str | None) -> list[str]:
    """Return the hosts of files at addresses that an agent does not fetch from.

    Args:
        files: Values of such files.
        hosts: What the agent says that it fetches from, as a JSON list; None where it does not say.
    """
    if hosts is None:
        return []
    listed, found = _listed(hosts), {}
    for each in files:
        with suppress(NoAddress):  # of what is none its agent has to say what is wrong
            address = parse_address(each["location"])
            if how_listed(listed, address.scheme, address.host, address.port) is None:
                found[address.authority] = True
    return [*found]


@lru_cache(maxsize=256)
def _listed(hosts: str) -> tuple[Host, ...]:
    """Return what an agent says that it fetches from; an offer of its asks that for each of a thousand steps."""
    return tuple(hosts_said(msgspec.json.decode(hosts)))
