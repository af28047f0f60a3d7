"""How far workflows are: from what their rows count, whatever the number of their steps."""

import re
from collections import defaultdict
from collections.abc import Iterable

from caroni_edge.manager.pages.shapes import PartsProgress, Progress
from caroni_edge.manager.store.listed import ListedRows, UnfinishedParts
from caroni_edge.manager.store.shown import ShownWorkflow
from caroni_edge.manager.templates.plan import Plan

READ_AT_ONCE = 10_000
"""So many steps are looked at for one page: of those that have failed, and of those that have parts."""
PARTS_SHOWN = 3

_PART = re.compile(r"(?P<step>[^/\[]+)(?:\[[0-9]+\]|/[^/\[]+)?")


def progress_of(rows: ListedRows, workflows: Iterable[tuple[ShownWorkflow, Plan]]) -> dict[int, Progress]:
    """Return how far workflows are, by seq.

    Args:
        rows: Where to read.
        workflows: Each with what it runs by.
    """
    steps = {row.seq: (len(plan.steps), row.steps_left) for row, plan in workflows}
    parts: defaultdict[int, list[UnfinishedParts]] = defaultdict(list)
    for each in rows.unfinished_parts(steps, READ_AT_ONCE):
        parts[each.workflow].append(each)
    failed: defaultdict[int, set[str]] = defaultdict(set)
    for workflow, path in rows.failed(steps, READ_AT_ONCE):
        if match := _PART.match(path):
            failed[workflow].add(match[0])
    return {seq: _progress(*counts, parts[seq], failed[seq]) for seq, counts in steps.items()}


def _progress(steps: int, steps_left: int, parts: list[UnfinishedParts], failed: set[str]) -> Progress:
    completed = steps - steps_left
    shown = [
        PartsProgress(
            step=each.path,
            count=each.parts,
            completed=each.parts - each.parts_left,
            failed=sum(part.startswith((f"{each.path}[", f"{each.path}/")) for part in failed),
        )
        for each in parts[:PARTS_SHOWN]
    ]
    failed_steps = len({match["step"] for part in failed if (match := _PART.match(part))})
    said = [_said(f"{completed}/{steps} steps", failed_steps)]
    said += [_said(f"{each['step']} {each['completed']}/{each['count']}", each["failed"]) for each in shown]
    return Progress(steps=steps, completed=completed, failed=failed_steps, parts=shown, sentence="; ".join(said))


def _said(done: str, failed: int) -> str:
    return f"{done}, {failed} failed" if failed else done
