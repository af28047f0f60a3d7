"""What the demo shows of a workflow: a live table on a terminal, a line for each change elsewhere."""

import json
import time
from typing import Any, Protocol

import click
import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from caroni_edge.base.text import on_one_line
from caroni_edge.demo.stage import NO_TLS, Stage
from caroni_edge.manager.lifecycle import ENDED

LOOK_EVERY_S = 0.05
STYLES = {"completed": "green", "running": "yellow", "failed": "red", "fulfilled": "cyan"}


class View(Protocol):
    """Shows a workflow as it is now."""

    def show(self, workflow: dict[str, Any]) -> None:
        """Show the workflow, as the API has answered."""


class Lines:
    """A plain line for each change."""

    def __init__(self) -> None:
        """Begin with nothing said, so that each step is said once."""
        self._seen: dict[str, tuple[object, ...]] = {}

    def show(self, workflow: dict[str, Any]) -> None:
        """Print a line for each step, and for the workflow, that has changed since the last time."""
        for name, step in _in_order(workflow):
            where = f"on {step['agent']}" if step["agent"] else ""
            self._say(f"step {name}", (step["status"], where, _attempt(step), _outputs(step)))
        self._say("workflow", (workflow["status"],))

    def _say(self, what: str, facts: tuple[object, ...]) -> None:
        if self._seen.get(what) != facts:
            self._seen[what] = facts
            click.echo(on_one_line(f"{what}: {' '.join(str(fact) for fact in facts if fact)}"))


class LiveTable:
    """A table that follows the workflow."""

    def __init__(self, live: Live) -> None:
        """Draw the table into `live`."""
        self._live = live

    def show(self, workflow: dict[str, Any]) -> None:
        """Show each step, its state, and the agent that took it."""
        table = Table(title=f"workflow {workflow['id']}: {workflow['status']}", title_justify="left")
        for heading in ("step", "job type", "state", "agent", "attempt", "outputs"):
            table.add_column(heading)
        for name, step in _in_order(workflow):
            state = f"[{STYLES.get(step['status'], 'white')}]{step['status']}"
            table.add_row(name, step["job_type"], state, step["agent"] or "", _attempt(step), _outputs(step))
        self._live.update(table)


def follow(stage: Stage, workflow: str) -> dict[str, Any]:
    """Show a workflow until it has ended, and return it."""
    console = Console()
    if not console.is_terminal:
        return _watch(stage, workflow, Lines())
    with Live(console=console, refresh_per_second=20) as live:
        return _watch(stage, workflow, LiveTable(live))


def _watch(stage: Stage, workflow: str, view: View) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {stage.token}"}
    with httpx.Client(base_url=stage.manager.url, headers=headers, verify=NO_TLS) as client:
        while True:
            found: dict[str, Any] = client.get(f"/api/workflows/{workflow}").raise_for_status().json()
            view.show(found)
            if found["status"] in ENDED:
                return found
            time.sleep(LOOK_EVERY_S)


def _in_order(workflow: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the steps as they ended, then those that run, then those that wait for the fewest others."""

    def when(item: tuple[str, dict[str, Any]]) -> tuple[object, ...]:
        last = item[1]["attempts"][-1] if item[1]["attempts"] else {}
        return last.get("ended") or "~", last.get("started") or "~", len(item[1]["waiting_for"])

    return sorted(workflow["steps"].items(), key=when)


def _attempt(step: dict[str, Any]) -> str:
    return f"attempt {len(step['attempts'])}" if len(step["attempts"]) > 1 else ""


def _outputs(step: dict[str, Any]) -> str:
    return json.dumps(step["outputs"], ensure_ascii=False) if step["outputs"] else ""
