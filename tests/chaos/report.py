"""The figures of a run, for people."""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from tests.chaos.checker import JOBS
from tests.chaos.photos import file_of
from tests.chaos.stage import Stage
from tests.chaos.trace import Outage, Trace
from tests.chaos.work import User, ask

COMPLETED = re.compile(r"^(\S+) .* action=step_completed peer=(\S+)", re.MULTILINE)
FAILPOINT = re.compile(r"^failpoint (\S+)$", re.MULTILINE)
DETAILS = re.compile(r"/\S+|\d+")
"""What makes reasons differ that say the same."""

Done = tuple[float, str, str]
"""A step was completed: when, by which agent, at which manager."""


def report(stage: Stage, users: Sequence[User], trace: Trace, faults_ended: float, all_ended: float) -> str:
    """Return the report."""
    jobs = [row for member in stage.managers for row in ask(member.daemon.state_dir, JOBS)]
    failed = Counter(DETAILS.sub("…", row["reason"] or "") for row in jobs if row["status"] != "completed")
    files = [found for user in users for outputs in user.expected.values() if (found := file_of(outputs))]
    steps, seconds = sum(user.jobs for user in users), all_ended - trace.begun
    return "\n".join(
        [
            f"workflows {sum(len(user.expected) for user in users)}, jobs {steps}, attempts {len(jobs)}, "
            f"of which failed {failed.total()}; triggers said again {sum(user.said_again for user in users)}",
            f"files from host to host {len(files)}, {sum(found.size for found in files) / 1e6:.1f} MB",
            f"{seconds:.0f} s, of which {faults_ended - trace.begun:.0f} s with faults; {steps / seconds:.1f} jobs/s",
            "",
            "cut off, share of the time with faults:",
            *_cut_off(stage, trace, faults_ended),
            "",
            "faults:",
            *_counted(Counter(f"{_kind(outage.who)} {outage.fault}" for outage in trace.outages)),
            *(f"  not here: {what}" for what in stage.leaves_out),
            "failpoints that were reached:",
            *_counted(Counter(_failpoints(stage))),
            "attempts that failed:",
            *_counted(failed),
            "",
            "until the next result after the end of an outage (alone: nothing else was in the way meanwhile):",
            *_recovery(stage, trace),
        ]
    )


def _kind(who: str) -> str:
    return {"b": "broker", "m": "manager", "a": "agent"}[who[0]]


def _counted(counts: Counter[str]) -> list[str]:
    return [f"  {count:6}  {what}" for what, count in counts.most_common()]


def _failpoints(stage: Stage) -> Iterator[str]:
    for member in stage.members:
        yield from FAILPOINT.findall(member.daemon.log)
        keeper = member.daemon.state_dir / "keeper.log"
        if keeper.exists():
            yield from (f"{place} (keeper)" for place in FAILPOINT.findall(keeper.read_text(errors="replace")))


def _cut_off(stage: Stage, trace: Trace, faults_ended: float) -> Iterator[str]:
    whole_s = faults_ended - trace.begun
    shares = {who: _share([who], trace, whole_s) for who in ("broker", *(member.name for member in stage.members))}
    yield "  " + ", ".join(f"{who} {share:.0%}" for who, share in shares.items())
    pairs = [_share(["broker", m.name, a.name], trace, whole_s) for m in stage.managers for a in stage.agents]
    mean, least, most = statistics.mean(pairs), min(pairs), max(pairs)
    yield f"  between an agent and a manager: {mean:.0%} (of the pairs {least:.0%} to {most:.0%})"


def _share(members: Sequence[str], trace: Trace, whole_s: float) -> float:
    """Return for which share of the time at least one of these was cut off."""
    cut_s, until = 0.0, 0.0
    for outage in sorted((o for o in trace.outages if o.cuts and o.who in members), key=lambda outage: outage.begin):
        cut_s += max(0.0, outage.end - max(outage.begin, until))
        until = max(until, outage.end)
    return cut_s / whole_s


def _recovery(stage: Stage, trace: Trace) -> Iterator[str]:
    done = sorted(
        (datetime.fromisoformat(date).timestamp(), peer.rpartition("/")[2], member.name)
        for member in stage.managers
        for date, peer in COMPLETED.findall(member.daemon.log)
    )
    for title, outages in (
        ("broker, started again", [o for o in trace.outages if o.who == "broker" and o.fault != "frozen"]),
        ("broker, frozen", [o for o in trace.outages if o.who == "broker" and o.fault == "frozen"]),
        ("manager, started again", [o for o in trace.outages if o.who[0] == "m" and _is_restart(o)]),
        ("manager, cut off or frozen", [o for o in trace.outages if o.who[0] == "m" and o.cuts and not _is_restart(o)]),
        ("agent, started again", [o for o in trace.outages if o.who[0] == "a" and _is_restart(o)]),
        ("agent, cut off or frozen", [o for o in trace.outages if o.who[0] == "a" and o.cuts and not _is_restart(o)]),
    ):
        found = [(wait, alone) for o in outages for wait, alone in _next(o, done, stage, trace)]
        for kind, waits in (("all", [wait for wait, _ in found]), ("alone", [wait for wait, alone in found if alone])):
            if waits:
                median, most = statistics.median(waits), max(waits)
                yield f"  {title:28} {kind:6} {len(waits):4} times, median {median:6.2f} s, most {most:6.2f} s"


def _is_restart(outage: Outage) -> bool:
    return outage.fault.startswith(("killed", "stopped", "died", "could not start"))


def _next(outage: Outage, done: Sequence[Done], stage: Stage, trace: Trace) -> Iterator[tuple[float, bool]]:
    """Yield how long it took until a result came that this outage would have held up, and whether nothing else did."""
    when = next((d[0] for d in done if d[0] > outage.end and outage.who in ("broker", d[1], d[2])), None)
    if when is not None:
        yield (
            when - outage.end,
            any(
                _was_free(("broker", manager.name, agent.name), outage.end, when, trace)
                for manager in stage.managers
                for agent in stage.agents
                if outage.who in ("broker", manager.name, agent.name)
            ),
        )


def _was_free(members: Sequence[str], begin: float, end: float, trace: Trace) -> bool:
    return not any(o.who in members and o.begin < end and o.end > begin for o in trace.outages)
