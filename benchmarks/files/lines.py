"""Files over lines: how fast, what each bad one costs, and what else gets through meanwhile."""

import statistics
import sys
import time
from typing import Any

from benchmarks.files.badlines import Kind
from benchmarks.files.stage import ASKER, HOLDER, MOVE, Moved, Stage, also, load, staged

MEGABIT = 1_000_000
ONE_MEGABIT = Kind("1 Mbit/s", MEGABIT)
STORM = Kind("100 Mbit/s, 5 % lost", 100 * MEGABIT, loss=0.05)
LINES = (
    ONE_MEGABIT,
    Kind("1 Mbit/s, 300 ms", MEGABIT, 0.3),
    Kind("10 Mbit/s, 100 ms", 10 * MEGABIT, 0.1),
    Kind("10 Mbit/s, 600 ms (satellite)", 10 * MEGABIT, 0.6),
    Kind("100 Mbit/s", 100 * MEGABIT),
    STORM,
    Kind("100 Mbit/s, 100 ms", 100 * MEGABIT, 0.1),
)
CUT = Kind("4 Mbit/s, 100 ms, away for 3 s after each 20 s", 4 * MEGABIT, 0.1)
CUT_EVERY_S, CUT_FOR_S, KILLED_EVERY_S = 20.0, 3.0, 35.0
CLOSED_WITHIN_S = 7.0
"""Some seconds after a file the connection that brought it is closed; the next one is to begin as the first did."""
NOTE_TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {{caroni: "urn:caroni:cwl#"}}
inputs: {{}}
steps:
  note:
    run: {{class: Operation, inputs: {{}}, outputs: {{ended: string}}}}
    hints: {{caroni:JobType: {{name: {name}}}}}
    in: {{}}
    out: [ended]
outputs:
  ended: {{type: string, outputSource: note/ended}}
"""
NOTE = """\
echo "ended=$(date +%s.%N)" >> "$CARONI_OUTPUTS"
"""
NOTES = {name: f"note-{name}" for name in (HOLDER, ASKER)}
NOTED = also(
    MOVE,
    {note: NOTE_TEMPLATE.format(name=note) for note in NOTES.values()},
    {name: [{"name": note, "outputs": {"ended": "string"}, "script": NOTE}] for name, note in NOTES.items()},
)
"""Beside files, each agent can say what time it is."""


class Storm:
    """Cuts lines and kills agents while a file goes over them: the ends have their turns.

    Attributes:
        cuts: How often a line was cut.
        kills: How often an agent was killed.
    """

    def __init__(self, stage: Stage, *, kills: bool) -> None:
        """Let it begin now."""
        self.cuts = self.kills = 0
        self._stage, self._begun = stage, time.monotonic()
        self._kills_at = self._begun + KILLED_EVERY_S if kills else float("inf")
        self._cuts_at, self._heals_at = self._begun + CUT_EVERY_S, float("inf")

    def go_on(self) -> None:
        """Do what is due; who is killed is started again at once."""
        now = time.monotonic()
        host = self._stage.far[(self.cuts + 1) % 2]
        if now >= self._heals_at:
            host = self._stage.far[self.cuts % 2]
            host.plug()
            host.line.heal()
            self._cuts_at, self._heals_at = now + CUT_EVERY_S, float("inf")
        elif now >= self._cuts_at:
            self.cuts += 1
            # Packets get lost, as where a cable is out, or connections are reset, as where an address is another one.
            host.unplug() if self.cuts % 4 < 2 else host.line.refuse()
            self._cuts_at, self._heals_at = float("inf"), now + CUT_FOR_S
        if now >= self._kills_at:
            agent = self._stage.agents[self.kills % 2]
            agent.kill()
            agent.start(wait=False)
            self.kills += 1
            self._kills_at = now + KILLED_EVERY_S

    def end(self) -> None:
        """Let all be well."""
        for host in self._stage.far:
            host.plug()
            host.line.heal()


def loopback(size_bytes: int) -> Any:
    """Return how fast a file goes from agent to agent on this machine."""
    with staged(far=False) as stage:
        rates = [size_bytes / stage.move(size_bytes).seconds / 1e6 for _ in range(3)]
    return {"bytes": size_bytes, "mb_per_s": [round(rate, 1) for rate in rates], "load": load()}


def beside(size_bytes: int) -> Any:
    """Return how long the result of a job is on its way over a line of 1 Mbit/s, alone and beside a file."""
    found: dict[str, Any] = {"line": ONE_MEGABIT.name, "queue_bytes": ONE_MEGABIT.queue_bytes, "file_bytes": size_bytes}
    with staged(NOTED) as stage:
        for host in stage.far:
            host.become(ONE_MEGABIT)
        waits: dict[str, list[float]] = {name: [] for name in NOTES}

        def note() -> None:
            for name, template in NOTES.items():
                (completed,) = stage.client.completing(1, template, {})
                ended = float(completed["data"]["outputs"]["ended"])
                waits[name].append(time.time() - ended)

        for what in ("alone", "beside a file"):
            for each in waits.values():
                each.clear()
            if what == "alone":
                for _ in range(20):
                    note()
            else:
                found["file_s"] = round(stage.move(size_bytes, note).seconds, 1)
            for name, role in ((HOLDER, "holder"), (ASKER, "asker")):
                found[f"{role}, {what}"] = {
                    "results": len(waits[name]),
                    "median_s": round(statistics.median(waits[name]), 3),
                    "worst_s": round(max(waits[name]), 3),
                }
    return {**found, "load": load()}


def over_lines(size_bytes: int) -> Any:
    """Return what a file costs on each bad line, which is the asker's."""
    found = []
    with staged(NOTED) as stage:
        for kind in (*LINES, CUT):
            time.sleep(CLOSED_WITHIN_S)
            stage.far[1].become(kind)
            storm = Storm(stage, kills=False) if kind is CUT else None
            moved = stage.move(size_bytes, storm.go_on if storm else lambda: None)
            if storm:
                storm.end()
            found.append(figures(kind, size_bytes, moved, cuts=storm.cuts if storm else 0))
    return found


def storm(size_bytes: int) -> Any:
    """Return how a large file gets through where all is bad."""
    with staged(NOTED) as stage:
        for host in stage.far:
            host.become(STORM)
        stage.client.run(1, NOTES[ASKER], {})
        storms: list[Storm] = []

        def go_on() -> None:
            storms[:] = storms or [Storm(stage, kills=True)]
            storms[0].go_on()

        moved = stage.move(size_bytes, go_on)
        storms[0].end()
    return figures(STORM, size_bytes, moved, cuts=storms[0].cuts, kills=storms[0].kills)


def figures(kind: Kind, size_bytes: int, moved: Moved, **more: int) -> dict[str, Any]:
    """Return what is reported of a file that went over a line."""
    share = size_bytes * 8 / moved.seconds / kind.bits_per_s
    assert moved.more is not None
    print(f"{kind.name:45} {moved.seconds:8.1f} s  {share:5.0%} of the line  {moved.more:6.1%} more", file=sys.stderr)
    return {
        "line": kind.name,
        "bytes": size_bytes,
        "seconds": round(moved.seconds, 1),
        "share_of_the_line": round(share, 3),
        "more_bytes": round(moved.more, 4),
        "load": load(),
        **more,
    }
