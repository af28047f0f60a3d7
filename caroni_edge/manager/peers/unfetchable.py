"""Finds workflows that wait for files which no agent may fetch that has the job type: no owner lists the host.

An agent that is away, or refuses the type for now, counts as any other: it may be back. What is found stays so until an
owner changes what an agent may, or another agent comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.files import SPEAKS_OF_FILES, JobFiles, unlisted
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.unfetched import MayFetch
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.remote import remote_in

STEPS_AT_ONCE = 200
"""So many steps of a job type are looked at anew at a time, and so many workflows that were found before."""
AGENTS_MAX, LISTS_MAX = 1000, 50
"""Where more agents have a job type, or list other hosts each, it is not said that none fetches something."""
FOUND_MAX = 10_000
"""Of so many workflows it is remembered at most."""


class Waiting(NamedTuple):
    """A workflow (its number) that waits so with its steps of a job type."""

    workflow: int
    job_type: str


class Stuck(NamedTuple):
    """A workflow that has waited so for long enough, and why, for people."""

    workflow: int
    reason: str


class Unfetchable(Memory):
    """Remembers which workflows wait so, and since when."""

    def __init__(self, context: Context, files: JobFiles) -> None:
        """Find steps and agents in the store of `context`; `files` knows who may fetch what."""
        super().__init__(context.journal)
        self._context, self._store, self._files = context, context.store, files
        self._since: MemoryDict[Waiting, float] = MemoryDict(context.journal)

    @property
    def workflows(self) -> set[int]:
        """The workflows that wait so."""
        return {each.workflow for each in self._since}

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._since)

    def look(self, at: Moment) -> list[Stuck]:
        """Look at some of the steps that wait for an agent; return the workflows that have waited for long enough."""
        for job_type in self._store.demands.all():
            known = self._known(job_type)
            for step in self._store.unfetched.next(job_type, self.workflows, STEPS_AT_ONCE) if known else ():
                if len(self._since) < FOUND_MAX and self._why(step, known) is not None:
                    self._since.setdefault(Waiting(step.workflow, job_type), at.now)
        return [*self._found_before(at)]

    def _found_before(self, at: Moment) -> Iterator[Stuck]:
        """Look again at some of those that were found first, which come last then; forget those that wait no more."""
        for waiting, since in [*islice(self._since.items(), STEPS_AT_ONCE)]:
            steps = self._store.unfetched.of(waiting.workflow, waiting.job_type, STEPS_AT_ONCE)
            known = self._known(waiting.job_type)
            why = next((why for step in steps if (why := self._why(step, known)) is not None), None)
            del self._since[waiting]
            if why is not None:
                self._since[waiting] = since
                if at.now >= since + self._context.settings.stalled_after_s:
                    yield Stuck(waiting.workflow, why)

    def _known(self, job_type: str) -> list[MayFetch]:
        """Return the agents that have a job type and may have jobs of it; none where these are too many."""
        known = self._store.unfetched.may_fetch(job_type, AGENTS_MAX)
        trusts = self._context.settings.trusts
        return [each for each in known if trusts(each.agent, job_type)] if len(known) < AGENTS_MAX else []

    def _why(self, step: StepRow, known: Iterable[MayFetch]) -> str | None:
        """Return why none of the agents may fetch the files of a step, for people; None where one may, or none is."""
        bound: Sequence[str] = msgspec.json.decode(step.agents or "[]")
        # Of those that list the same hosts one tells of all; what an older one has it need not fetch.
        alike = {
            each.hosts if each.speaks >= SPEAKS_OF_FILES else f"/{each.agent}": each.agent
            for each in known
            if _fits(each, bound)
        }
        agents = alike.values()
        if not 0 < len(agents) <= LISTS_MAX or any(self._files.may_go(step, each) for each in agents):
            return None
        remote = remote_in(msgspec.json.decode(step.inputs))
        hosts = {host for each in agents for host in unlisted(remote, self._store.agents.hosts(each))}
        what = f"fetches files from {' or '.join(sorted(hosts))} (files.hosts)" if hosts else "fetches files at all"
        return f"no agent that may take a step of the type {step.job_type} {what}"


def _fits(known: MayFetch, bound: Sequence[str]) -> bool:
    """Tell whether an agent is one of those that alone may take a step."""
    if not bound or not are_labels(bound):
        return not bound or known.agent in bound
    return {*msgspec.json.decode(known.labels)}.issuperset(bound)
