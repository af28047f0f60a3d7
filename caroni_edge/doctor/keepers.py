"""What an agent's keepers say of themselves: whether all of a job ends with it, and what keeps it to its bounds."""

import json
from collections.abc import Iterator
from pathlib import Path

from caroni_edge.agent.keeper import strengths
from caroni_edge.agent.processes.homes import NoKeeper, connect, names_of
from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, warning

ANSWER_WITHIN_S = 5.0

_ENDS = {
    strengths.BOX: "a keeper in a box: all of a job ends with it, and all jobs end with their keeper",
    strengths.CHILDREN: "a keeper: all of a job ends with it",
}
_BOUNDS = {
    strengths.GROUPS: "control groups keep each job to its processes and memory",
    strengths.LOOKS: "it looks ten times a second whether each job keeps to its processes and memory",
}


def check(config: NodeConfig) -> Iterator[Finding]:
    """Ask each keeper that serves here; a manager has none, and an agent without jobs need not have one."""
    for directory in (config.state_dir, *(config.state_dir / name for name in names_of(config.state_dir))):
        said = _hello(directory)
        bounds = _BOUNDS.get(said.get("bounds", ""))
        if bounds is None:  # there is none, or one of an older program
            continue
        if ends := _ENDS.get(said.get("ends", "")):
            yield ok("jobs", f"{ends}; {bounds}")
        else:
            words = f"a keeper: it finds what is left of a job by marks alone, which a job can take off; {bounds}"
            yield warning("jobs", words, "The kernel lets it be no sub-reaper (prctl): let agents make boxes.")


def _hello(directory: Path) -> dict[str, str]:
    try:
        connected = connect(directory)
        if connected is None:
            return {}
        with connected, connected.makefile("rb") as lines:
            connected.settimeout(ANSWER_WITHIN_S)
            said = json.loads(lines.readline())
    except (NoKeeper, OSError, ValueError):
        return {}
    return {name: str(value) for name, value in said.items()} if isinstance(said, dict) else {}
