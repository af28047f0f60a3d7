"""Files at http and https addresses: whether they may be fetched, which are, and the jobs that take them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.ledger import Ledger, ids
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.lifecycle import JobEvent
from caroni_edge.agent.store.locations import CameFrom, LocationRow
from caroni_edge.base.hosts import how_listed
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.objects.locations import (
    LocationFailed,
    LocationFetched,
    LocationId,
    LocationNews,
    LocationSized,
    Sought,
)
from caroni_edge.objects.objects import Object, sha256_of
from caroni_edge.objects.quota import Quota
from caroni_edge.protocol.messages import Values
from caroni_edge.values.carried import basename_of, object_value, tree_of, with_files
from caroni_edge.values.json import from_text, shown
from caroni_edge.values.remote import REMOTE_MAX, is_remote, parse_address

log = logging.getLogger(__name__)


class Locations(Part):
    """Has the files brought that lie at addresses; what has come takes the place of its address in a job's inputs."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        """Note in the deeds of `context` what is to be done after the commit."""
        super().__init__(context.journal)
        self._store, self._in_force, self._ledger, self._deeds = context.store, context.in_force, ledger, context.deeds
        self._sought: MemoryDict[LocationId, Sought] = MemoryDict(context.journal)  # what is fetched
        self._sizes: MemoryDict[LocationId, int] = MemoryDict(context.journal)  # of those whose hosts have said it
        self._disk_bytes = inf
        self._seen = -1

    def on_start(self, at: Moment) -> None:
        """Go on with what was wanted when the last process ended."""
        self._sought.update(self._wanted())
        self._seen = self._store.wanted.changes()
        self._deeds.begin_fetches(self._sought.values())

    def on_disk(self, disk_bytes: float) -> None:
        """Note how much the disk has."""
        self._disk_bytes = disk_bytes

    @property
    def reserved_bytes(self) -> int:
        """How much of the disk is for files that are on their way, as far as their hosts have said that."""
        return sum(self._sizes.values())

    # What jobs take

    def why_not(self, job_type: JobType, inputs: Values) -> str | None:
        """Return why the owner of this host does not let the files of a job be fetched; None where he does, or none is.

        Args:
            job_type: Says which inputs are files.
            inputs: They fit it.
        """
        found = list(_remote_of(job_type, inputs))
        if len(found) > REMOTE_MAX:
            return f"{len(found)} of its files lie at addresses, and {REMOTE_MAX} are allowed"
        hosts = self._in_force.settings.files.hosts
        for value in found:
            address = parse_address(value["location"])
            if how_listed(hosts, address.scheme, address.host, address.port) is None:
                named = f"the file {shown(basename_of(value))} lies at {address.authority}"
                return (
                    f"{named}, and this agent may not fetch from there: files.hosts in its agent.yaml does not list it"
                )
        return None

    @staticmethod
    def are_in(job_type: JobType, inputs: Values) -> bool:
        """Tell whether files of a job lie at addresses."""
        return any(True for _ in _remote_of(job_type, inputs))

    @staticmethod
    def where(job_type: JobType, inputs: Values) -> list[str]:
        """Return the hosts at which files of a job lie."""
        return [parse_address(each["location"]).authority for each in _remote_of(job_type, inputs)]

    def want(self, job: str, job_type: JobType, inputs: Values, at: Moment) -> None:
        """Let a job that is staging wait for its files, but for those that have come for its workflow before."""
        row = self._store.jobs.by_job(job)
        assert row is not None
        known: dict[LocationId, CameFrom] = {}
        for value in _remote_of(job_type, inputs):
            sought = LocationId(row.manager, value["location"], value.get("checksum") or "")
            self._store.locations.add(job, sought, value.get("size"))
            found = self._store.locations.found(sought, row.workflow)
            if found is not None and value.get("size") in (None, found.size):
                known[sought] = found
        for sought, found in known.items():
            self._bring(job, sought, found, at)

    def _bring(self, job: str, sought: LocationId, found: CameFrom, at: Moment) -> None:
        """Let an object take the place of an address in the inputs of a job, and queue it if it has all its files."""
        row = self._store.jobs.by_job(job)
        assert row is not None
        self._store.objects.refer(found.object, manager=row.manager, workflow=row.workflow, job=job, date=at.date)
        self._store.locations.came(job, sought)
        inputs = _replaced(from_text(row.inputs), sought, found)
        is_last = not self._store.wanted.is_waiting(job)
        self._ledger.fill(row, inputs, is_last=is_last)

    # What is brought

    def on_news(self, news: LocationNews, at: Moment) -> None:
        """Take what is told of a file."""
        match news:
            case LocationFetched():
                self._on_fetched(news, at)
            case LocationFailed():
                self._on_failed(news, at)
            case LocationSized():
                self._on_sized(news, at)

    def _on_fetched(self, news: LocationFetched, at: Moment) -> None:
        """Keep what lies here now, for the manager that it was fetched for; queue who waited for it."""
        name, waiting = news.object.id, self._store.locations.waiting(news.id)
        if waiting:
            self._store.objects.add(news.object, manager=news.id.manager, date=at.date)
        found = CameFrom(name, news.object.size, news.sha1)
        for each in self._fitting(waiting, news.object.size, at):
            self._store.locations.keep(news.id, each.workflow, found)
            self._bring(each.job, news.id, found, at)
        self._forget(news.id)
        if not self._store.objects.is_here(name):
            self._deeds.discard([name])

    def _on_failed(self, news: LocationFailed, at: Moment) -> None:
        """End the jobs whose file is not to be had."""
        self._end(self._store.locations.waiting(news.id), f"{_called(news.id)} cannot be fetched: {news.why}", at)
        self._forget(news.id)

    def _on_sized(self, news: LocationSized, at: Moment) -> None:
        """Keep room for a file, if there would be any."""
        if news.id not in self._sought:
            return
        self._sizes[news.id] = news.size
        waiting = self._fitting(self._store.locations.waiting(news.id), news.size, at)
        settings = self._in_force.settings
        most_bytes = self._disk_bytes - settings.disk_floor_bytes
        short = Quota(settings.files_store_bytes, settings.files_per_manager_bytes).why_not(news.id.manager, news.size)
        if news.size > most_bytes:
            said = f"has {news.size} bytes, and this agent's disk has room for {most_bytes:.0f} at most"
            self._end(waiting, f"{_called(news.id)} {said}", at)
        elif short is not None:
            self._end(waiting, f"there is no room at this agent for {_called(news.id)}: {short.why}", at)

    def _fitting(self, waiting: Sequence[LocationRow], size: int, at: Moment) -> list[LocationRow]:
        """End the jobs for which a file must have another size; return the others."""
        for each in waiting:
            if not each.has(size):
                self._end([each], f"{_called(each.id)} has {size} bytes, and its value says {each.size}", at)
        return [each for each in waiting if each.has(size)]

    def _end(self, waiting: Sequence[LocationRow], reason: str, at: Moment) -> None:
        for each in waiting:
            row = self._store.jobs.by_job(each.job)
            assert row is not None
            self._ledger.refuse(row, JobEvent.FILES_REFUSED, reason, at, tell=False)
            self._ledger.decline(row.manager, row, reason, at, final=True)
            log.error("%s", reason, extra={"action": "files_refused", **ids(row)})

    def _forget(self, sought: LocationId) -> None:
        self._sought.pop(sought, None)
        self._sizes.pop(sought, None)
        self._deeds.forget_fetch(sought)

    # What is wanted

    def settle(self, at: Moment) -> None:
        """Have fetched what is wanted now, and nothing else."""
        if self._store.wanted.changes() == self._seen:
            return
        self._seen = self._store.wanted.changes()
        wanted = self._wanted()
        for each in [each for each in self._sought if each not in wanted]:
            self._forget(each)
        for each, sought in wanted.items():
            if each not in self._sought:
                self._sought[each] = sought
                self._deeds.fetch(sought)

    def _wanted(self) -> Mapping[LocationId, Sought]:
        """Return what is waited for, for the first of the jobs that want it."""
        found: dict[LocationId, Sought] = {}
        for row in self._store.locations.all():
            found.setdefault(row.id, Sought(row.id, row.arrival))
        return found


def _called(sought: LocationId) -> str:
    return f"the file at {sought.location.partition('?')[0]}"


def _remote_of(job_type: JobType, inputs: Values) -> Iterator[dict[str, Any]]:
    """Yield the values of the files of a job that lie at addresses; those beside others and in directories too."""
    found: list[dict[str, Any]] = []

    def look(value: dict[str, Any]) -> dict[str, Any]:
        found.extend(each for _, each in tree_of(value) if is_remote(each.get("location")))
        return value

    for name, value in inputs.items():
        if name in job_type.inputs:
            with_files(job_type.inputs[name], value, lambda _, each: look(each))
    yield from found


def _replaced(value: Any, sought: LocationId, found: CameFrom) -> Any:
    """Return a value with an object in the place of each file that is at an address."""
    match value:
        case list():
            return [_replaced(each, sought, found) for each in value]
        case {"class": "File", "location": sought.location} if (value.get("checksum") or "") == sought.checksum:
            of_object = object_value(basename_of(value), Object(sha256_of(found.object), found.size), found.digest)
            return {**{key: _replaced(each, sought, found) for key, each in value.items()}, **of_object}
        case dict():
            return {key: _replaced(each, sought, found) for key, each in value.items()}
    return value
