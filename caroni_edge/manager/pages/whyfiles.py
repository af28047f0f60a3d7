"""What large files have to do with it that a step is where it is: who has them, and who fetches them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from caroni_edge.base.text import on_one_line
from caroni_edge.manager.jobs.files import unlisted
from caroni_edge.manager.pages.sentences import NAMES_SAID, listed, reason_of
from caroni_edge.manager.pages.shapes import AttemptView, Reason
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.looks import LookRow
from caroni_edge.manager.store.shown import ShownServer, ShownStep, ShownWorkflow
from caroni_edge.values.carried import basename_of, is_directory, objects_in
from caroni_edge.values.json import from_text, shown
from caroni_edge.values.large import is_large
from caroni_edge.values.remote import is_remote, parse_address

BROUGHT_LOOKED_AT = 100
"""So many files that are brought are looked at for their names."""


class FileReasons:
    """Says of a step what its files let it wait for."""

    def __init__(self, views: ManagerViews) -> None:
        """Explain what `views` shows."""
        self._views = views

    def of_looks(self, step: ShownStep) -> Iterator[Reason]:
        """Say which objects this manager must look inside for a step, and has not yet."""
        yield from self._of_looks(self._views.looks_of(step))

    def of_outputs(self, row: ShownWorkflow) -> Iterator[Reason]:
        """Say which objects this manager must look inside so that a workflow has its outputs, or has them again."""
        for each in self._of_looks(self._views.looks_of_outputs(row)):
            yield Reason(condition=each["condition"], sentence=f"it {each['sentence']}", facts=each["facts"])
        for each in self._of_looks(self._views.looks_again(row)):
            said = f"it {each['sentence']}, to make again what it has lost"
            yield Reason(condition=each["condition"], sentence=said, facts=each["facts"])

    def _of_looks(self, looks: Iterable[tuple[LookRow, list[str]]]) -> Iterator[Reason]:
        for look, holders in [*looks][:NAMES_SAID]:
            if not look.waits:
                said = "waits for what is in a large value, which this manager reads"
                yield reason_of("large_value_read", f"{said}: {look.reason}" if look.reason else said, input=look.name)
                return
            value = msgspec.json.decode(look.value)
            named = f"the value {shown(look.name)} ({_size(look.size)})" if is_large(value) else called_all([value])
            facts = {"input": look.name, "size": look.size, "holders": holders, "reason": look.reason}
            if holders:
                said = f"waits for {named}, which this manager fetches from {where(self._views, holders)}"
                yield reason_of("looked_into", f"{said}: {look.reason}" if look.reason else said, **facts)
            else:
                said = f"waits for {named}, into which this manager must look and which no agent has any more"
                yield reason_of("looked_into", f"{said}: the step that gave it makes it again", **facts)

    def of_brought(self, row: ShownWorkflow) -> Reason | None:
        """Say that a workflow waits for files that whoever has submitted it brings; None where it waits for none."""
        brought, count = self._views.brought(row, BROUGHT_LOOKED_AT)
        if not brought:
            return None
        holder, inputs = brought[0].holder, objects_in(from_text(row.inputs))
        named = [inputs[each.object] for each in brought if each.object in inputs][:NAMES_SAID]
        more = count - len(named)
        inside = "1 file that lies in a directory" if more == 1 else f"{more} files that lie in directories"
        files = f"{called_all(named)} and {more} more" if named and more else called_all(named) if named else inside
        said = f"it waits for {files} from {holder}, and begins when all is at this manager"
        return reason_of("files_brought", said, holder=holder, files=count)

    def of_unplaced(self, step: ShownStep, bound: Collection[str]) -> Iterator[Reason]:
        """Say whether a step can be taken by few because they have its files.

        Args:
            step: The step.
            bound: The agents that may take it.
        """
        files = self._views.files_of(step)
        have_all = [agent for agent in bound if files and all(agent in file.agents for file in files)]
        values = [file.value for file in files]
        for agent in have_all[:NAMES_SAID]:
            is_online, seen = self._views.seen(agent)
            away = "" if is_online else f" and is offline since {seen}" if seen else " and is offline"
            said = f"waits for agent {agent}, which has {called_all(values)}{away}"
            yield reason_of("has_files", said, agent=agent, files=_names(values), seen=seen)

    def unlisted(self, step: ShownStep, servers: Iterable[ShownServer]) -> dict[ShownServer, list[str]]:
        """Return the agents that may not fetch files of a step, each with the hosts that its owner does not list."""
        remote = self._views.remote_of(step)
        found = {each: unlisted(remote, each.hosts) for each in servers} if remote else {}
        return {server: hosts for server, hosts in found.items() if hosts}

    def of_unlisted(self, unlisted: Mapping[ShownServer, list[str]], *, is_any: bool) -> Iterator[Reason]:
        """Say of agents that they may not fetch the files of a step; `is_any`: some others may."""
        if not unlisted:
            return
        hosts = sorted({host for lacking in unlisted.values() for host in lacking})
        lists: dict[str, list[str]] = {each.agent: msgspec.json.decode(each.hosts or "[]") for each in unlisted}
        of_each = ", ".join(
            f"of {agent} lists {listed(found) if found else 'nothing'}"
            for agent, found in [*lists.items()][:NAMES_SAID]
        )
        said = "is not taken by agents that may not fetch from" if is_any else "waits for an agent that fetches from"
        said = f"{said} {listed(hosts)}: files.hosts {of_each}"
        yield reason_of("host_not_listed", said, hosts=hosts, agents=lists)

    def of_queued(self, step: ShownStep, attempt: AttemptView) -> Reason:
        """Say what a step waits for at an agent that has its data: for a slot, and perhaps for files before."""
        agent, number = attempt["agent"], attempt["attempt"]
        facts: dict[str, Any] = {name: value for name, value in attempt.items() if value is not None and name != "lost"}
        said = f"is at agent {agent} since {attempt['placed']} (attempt {number}), for the next slot that is free"
        lacking = [file for file in self._views.files_of(step) if agent not in file.agents]
        remote = self._views.remote_of(step)
        if not (lacking or remote):
            return reason_of("queued", said, **facts)
        values = [*(file.value for file in lacking), *remote]
        holders = sorted({each for file in lacking for each in file.agents})
        hosts = sorted({parse_address(each["location"]).authority for each in remote})
        said += f" once it has fetched {called_all(values)} from "
        said += " and ".join([*([where(self._views, holders)] if lacking else []), *hosts])
        if not lacking:
            said += ", which it perhaps has by now"
        holders += hosts
        if waits := self._views.staging(agent):
            said += f"; agent {agent}: {on_one_line(waits)}"
            facts["waits"] = waits
        return reason_of("staging", said, files=_names(values), holders=holders, **facts)


def where(views: ManagerViews, holders: Iterable[str]) -> str:
    """Return who has a file, and who of them is away."""
    found = []
    for agent in holders:
        if "/" in agent:
            found.append("this manager")
            continue
        is_online, seen = views.seen(agent)
        away = "" if is_online else f" (offline since {seen})" if seen else " (offline)"
        found.append(f"agent {agent}{away}")
    return listed(found) or "an agent that has it, which none does"


def called_all(values: Collection[dict[str, Any]]) -> str:
    """Return how people hear of files, directories and values, with their sizes."""
    named: dict[str, list[str]] = {"file": [], "directory": [], "value": []}
    for each in values:
        if is_directory(each):
            named["directory"].append(shown(each.get("basename")))
        elif is_large(each):
            named["value"].append(f"({_size(each['size'])})")
        else:
            named["file"].append(f"{shown(basename_of(each))} ({_size(each.get('size'))})")
    plurals = {"file": "files", "directory": "directories", "value": "values"}
    said = [f"the {word if len(each) == 1 else plurals[word]} {listed(each)}" for word, each in named.items() if each]
    return " and ".join(said)


def _names(values: Iterable[dict[str, Any]]) -> list[Any]:
    return [basename_of(each) if is_remote(each.get("location")) else each.get("basename") for each in values]


def _size(size_bytes: Any) -> str:
    return f"{size_bytes / 1e6:.3g} MB" if isinstance(size_bytes, int) else "of unknown size"
