"""Finds the processes of a file that holds several, `$graph` (CWL v1.2, "Packed documents")."""

from collections.abc import Mapping

from caroni_edge.documents.documents import nearest
from caroni_edge.documents.files import NotRead, local_name, parts_of
from caroni_edge.manager.templates.cwl.reading import Place
from caroni_edge.values.json import shown

MAIN = "main"


def part_of(place: Place, name: str) -> Place:
    """Return a process of a file.

    Args:
        place: The whole file.
        name: The `id` of the process; empty for the one that the file is about: its only one, `main`, or the only
            workflow that no other one runs.

    Raises:
        NotRead: There is none; the message goes on behind the name of the file.
    """
    if not isinstance(place.value, dict) or "$graph" not in place.value:
        if name and not _is_called(place, name):
            raise NotRead(f"names a part that is not there: no `id` there is {shown(name)}")
        return place
    parts = _parts(place.at("$graph"))
    found = parts.get(name or MAIN) or (None if name else _outermost(parts))
    if found is None:
        what = f"no `id` there is {shown(name)}{nearest(name, parts)}" if name else _NO_MAIN
        raise NotRead(f"names a part that is not there: {what}" if name else what)
    return found


_NO_MAIN = 'holds processes beside each other ("$graph"): one of them needs `id: main`'


def is_graph_of_workflow(value: Mapping[str, object]) -> bool:
    """Tell whether one of the processes of a `$graph` is a workflow."""
    graph = value.get("$graph")
    return isinstance(graph, list) and any(isinstance(each, dict) and each.get("class") == "Workflow" for each in graph)


def _is_called(place: Place, name: str) -> bool:
    written = place.value.get("id") if isinstance(place.value, dict) else None
    return isinstance(written, str) and local_name(written) == name


def _parts(graph: Place) -> dict[str, Place]:
    if not isinstance(graph.value, list):
        raise NotRead('needs a list of processes with "id" as its "$graph"')
    parts: dict[str, Place] = {}
    for each in graph.items():
        name = each.value.get("id") if isinstance(each.value, dict) else None
        if isinstance(name, str) and parts.setdefault(local_name(name), each) is not each:
            raise NotRead(f"holds two processes that are called {shown(local_name(name))}")
    return parts


def _outermost(parts: Mapping[str, Place]) -> Place | None:
    """Return the one workflow that none of the others runs; the only process where there is one alone."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    workflows = {name: each for name, each in parts.items() if each.value.get("class") == "Workflow"}
    run = {name for each in workflows.values() for name in _run_by(each.value.get("steps"))}
    outer = [each for name, each in workflows.items() if name not in run]
    return outer[0] if len(outer) == 1 else None


def _run_by(steps: object) -> list[str]:
    bodies = list(steps.values()) if isinstance(steps, dict) else steps if isinstance(steps, list) else []
    runs = [each.get("run") for each in bodies if isinstance(each, dict)]
    return [parts_of(run)[1] for run in runs if isinstance(run, str)]
