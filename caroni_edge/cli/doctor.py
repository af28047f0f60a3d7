"""`caroni-edge doctor`: what keeps a node from working, with a hint each."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli.check_config import check, load_node, node_role


@click.command(epilog="Example: caroni-edge doctor --config /etc/caroni-edge/agent.yaml")
@click.option("--config", required=True, type=FILE, help="The configuration of a manager or an agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def doctor(config: Path, as_json: bool) -> None:
    """Look for what keeps a node from working: broker, limits, identity, disk, clock, state.

    It only looks: a node that runs is asked, and not disturbed. Run it as the node's user. Exit status 1 when there is
    a problem, 2 when the configuration cannot be used.
    """
    from caroni_edge.doctor.findings import is_healthy  # noqa: PLC0415

    found: list[Any] = []
    with _quiet():
        for finding in _examine(config):
            found.append(finding)
            if not as_json:
                _print(finding)
    healthy = is_healthy(found)
    if as_json:
        say_json({"healthy": healthy, "findings": [asdict(each) for each in found]})
    else:
        say(summary(found))
    sys.exit(0 if healthy else 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing meanwhile: what would be logged is said as findings."""
    product = logging.getLogger("caroni_edge")
    level = product.level
    product.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        product.setLevel(level)


def _examine(path: Path) -> Iterator[Any]:
    from caroni_edge.doctor.examination import examine  # noqa: PLC0415
    from caroni_edge.doctor.findings import Finding, Level, ok  # noqa: PLC0415

    role = node_role(path)
    config = load_node(path)
    checked = check(path, role)
    hint = "The node runs without what is broken; `caroni-edge check-config` checks it again."
    for each in checked.problems:
        level = Level.WARNING if each.warning else Level.PROBLEM
        yield Finding("configuration", level, f"{each.where}: {each.what}", "" if each.warning else hint)
    if checked.ok:
        yield ok("configuration", f"{path} can be used, {role} {config.id}")
    yield from examine(config, _job_types(config))


def _job_types(config: Any) -> Sequence[str]:
    if config.role == "managers":
        return ()
    from caroni_edge.agent.jobtypes import load_job_types  # noqa: PLC0415

    return sorted(load_job_types(config.job_types).names())


def _print(finding: Any) -> None:
    say(f"{finding.level:<7}  {finding.name}: {finding.sentence}")
    if finding.hint:
        say(f"{'':<7}    {finding.hint}")


def summary(found: Sequence[Any]) -> str:
    """Return the last line: whether the node is healthy, and how many problems and warnings there are."""
    problems, warnings = (sum(each.level == level for each in found) for level in ("problem", "warning"))
    if not problems:
        return f"healthy, {warnings} warnings" if warnings else "healthy"
    return f"not healthy: {problems} problems, {warnings} warnings"
