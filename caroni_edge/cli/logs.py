"""`caroni-edge logs`: the log of a step."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._ids import complete_step, find_workflow, part, split_step
from caroni_edge.cli._output import is_terminal, say, say_json, say_text

POLL_S = 0.3
QUIET_POLLS = 7
"""So often nothing more has come: what there is now has arrived."""
POLLS_MAX = 100
"""So often the end of a log is asked for at most, while its agent does not answer."""
LARGE = 256 * 1024
"""After a piece as large as this the next one is there already."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")

Pause = Callable[[float], Any]


class Piece(NamedTuple):
    """What came with one request.

    Attributes:
        text: A part of the log.
        offset: Where it begins.
        following: Where it ends.
        state: Whether that was all (`complete`, `coming` or `agent-away`).
        is_cut: More of the log is there, and will not come.
        has_begun: The job has begun; before that there is nothing.
    """

    text: str
    offset: int
    following: int
    state: str
    is_cut: bool
    has_begun: bool = True


class Wanted(NamedTuple):
    """Which part of a log is wanted, in lines; without any, its end."""

    tail: int | None
    head: int | None
    is_all: bool


@click.command(epilog="Example: caroni-edge logs w1/upper --follow")
@click.argument("step", metavar="WORKFLOW/STEP", shell_complete=complete_step)
@click.option("--tail", type=click.IntRange(1), metavar="N", help="The last N lines, of the last 64 KiB.")
@click.option("--head", type=click.IntRange(1), metavar="N", help="The first N lines.")
@click.option("--all", "is_all", is_flag=True, help="All of it, however long: what is not here, the agent sends.")
@click.option("-f", "--follow", is_flag=True, help="All of it, and go on until the job has ended.")
@click.option("--failed", is_flag=True, help="Of WORKFLOW: the end of the log of each step that has failed.")
@click.option("--attempt", type=click.IntRange(1), help="Instead of the attempt that counts.")
@click.option("--raw", is_flag=True, help="Print it as it is, also to a terminal, which it may command.")
@asked_api
def logs(api: Api, /, step: str, follow: bool, failed: bool, attempt: int | None, raw: bool, **part_of: Any) -> None:
    """Show the log of a step: what its job has written to standard error.

    A log is shown whole up to 64 KiB, and of a longer one the end; standard error says how much is left out.
    """
    wanted = Wanted(**part_of)
    if [wanted.tail, wanted.head, wanted.is_all or None, follow or None].count(None) < len(wanted):
        raise UsageError("logs", "--tail, --head, --all and --follow exclude each other", "Give one of them.")
    workflow, name = split_step(step)
    if failed and name is None:
        show_failed(api, find_workflow(api, workflow), wanted, raw=raw)
        return
    if not name or failed:
        hint = f"Write {workflow}/STEP, which `caroni-edge status` names, or {workflow} --failed."
        raise UsageError(step, "a log is that of a step, and --failed is for a workflow", hint)
    workflow = find_workflow(api, workflow)
    path = _path(workflow, name)
    if follow or wanted.is_all:
        pieces: Iterable[Piece] = collect(api, path, attempt, is_following=follow)
    elif wanted.head is not None:
        pieces = first_lines(collect(api, path, attempt, is_following=False), wanted.head)
    else:
        pieces = [_cut(end_of(api, path, attempt), wanted.tail)]
    _show(api, (workflow, name), pieces, raw=raw, is_following=follow)


def collect(
    api: Api, path: str, attempt: int | None, *, is_following: bool, pause: Pause = time.sleep
) -> Iterator[Piece]:
    """Yield the whole log piece by piece, at least one.

    Args:
        api: The manager.
        path: Of the log.
        attempt: Which one; None: the one that counts.
        is_following: Go on until it is complete; otherwise until what there is now has arrived.
        pause: Waits for so many seconds.
    """
    offset = quiet = 0
    while True:
        piece, _ = _ask(api, path, attempt=attempt, offset=offset, part="whole")
        quiet = 0 if piece.following > offset else quiet + 1
        is_large = piece.following - offset >= LARGE
        offset = piece.following
        yield piece
        is_all_for_now = piece.state == "agent-away" or quiet >= QUIET_POLLS or not piece.has_begun
        if piece.state == "complete" or (not is_following and not is_large and is_all_for_now):
            return
        if not is_large:
            pause(POLL_S)


def end_of(api: Api, path: str, attempt: int | None, pause: Pause = time.sleep) -> Piece:
    """Return the end of a log, or all of a short one, as far as it arrives now."""
    before: Piece | None = None
    quiet = 0
    for _ in range(POLLS_MAX):
        piece, is_waiting = _ask(api, path, attempt=attempt, part="end")
        quiet = quiet + (not is_waiting) if piece == before else 0
        if piece.state != "coming" or quiet >= QUIET_POLLS or not piece.has_begun:
            return piece
        before = piece
        pause(POLL_S)
    return piece


def first_lines(pieces: Iterable[Piece], count: int) -> Iterator[Piece]:
    """Yield the beginning of a log up to so many lines."""
    for piece in pieces:
        lines = _lines(piece.text)
        if len(lines) > count or (len(lines) == count and lines[-1].endswith("\n")):
            yield piece._replace(text="".join(lines[:count]), state="complete", is_cut=False)
            return
        count -= piece.text.count("\n")
        yield piece


def _ask(api: Api, path: str, **asked: Any) -> tuple[Piece, bool]:
    """Ask for a part of a log; also return whether its agent was asked for more and has not answered."""
    answer = api.fetch("GET", path, **asked)
    offset, following = (int(answer.headers.get(f"Caroni-Log-{name}", "0")) for name in ("Offset", "Next"))
    state, is_cut = answer.headers.get("Caroni-Log", "complete"), "Caroni-Log-Cut" in answer.headers
    has_begun = "Caroni-Log-Begun" not in answer.headers
    return Piece(answer.text, offset, following, state, is_cut, has_begun), "Caroni-Log-Waiting" in answer.headers


def _cut(piece: Piece, count: int | None) -> Piece:
    """Leave the last lines of a piece; where the log begins before it, its first line would be half of one."""
    lines = _lines(piece.text)
    kept = lines if count is None else lines[-count:]
    if piece.offset and len(kept) == len(lines) > 1:
        kept = lines[1:]
    left_out = sum(len(line.encode()) for line in lines[: len(lines) - len(kept)])
    return piece._replace(text="".join(kept), offset=piece.offset + left_out)


def _lines(text: str) -> list[str]:
    return _LINE.findall(text)


def _show(api: Api, of: tuple[str, str], pieces: Iterable[Piece], *, raw: bool, **how: bool) -> None:
    """Print a log, and on standard error what it lacks.

    Args:
        api: The manager.
        of: Workflow and step.
        pieces: The log.
        raw: As it is, also to a terminal.
        how: `is_following`: until the job has ended; `err`: on standard error.
    """
    workflow, name = of
    if api.as_json:
        found = list(pieces)
        text, last = "".join(piece.text for piece in found), found[-1]
        left_out = {"left_out": found[0].offset} if found[0].offset else {}
        say_json({"workflow": workflow, "step": name, "state": last.state, "text": text, **left_out}, None)
        return
    begin: Piece | None = None
    err, is_following = how.get("err", False), how.get("is_following", False)
    for piece in pieces:
        if not (piece.has_begun or begin) and is_following:
            say(f"{workflow}/{name}: its job has not begun; waiting for it", err=True)
        say_text(piece.text, raw=raw or not is_terminal(err=err), err=err)
        begin, end = begin or piece, piece
    if begin is not None:
        _say_rest(f"{workflow}/{name}", begin, end)


def show_failed(api: Api, workflow: str, wanted: Wanted, *, raw: bool, err: bool = False) -> None:
    """Print the end of the log of each step of a workflow that has failed; `err`: on standard error."""
    after: str | None = None
    is_found = False
    while True:
        page = api.get(f"/api/workflows/{part(workflow)}/steps", status="failed", limit=1000, after=after)
        for name in [name for name, step in page["steps"].items() if step["attempts"]]:
            is_found = True
            if not api.as_json:
                say(f"==> {workflow}/{name}", err=True)
            end = _cut(end_of(api, _path(workflow, name), None), wanted.tail)
            _show(api, (workflow, name), [end], raw=raw, err=err)
        after = page["next"]
        if after is None:
            break
    if not is_found and not err:
        say(f"{workflow}: no step has failed that had a job; `caroni-edge why {workflow}` says how it stands", err=True)


def _path(workflow: str, step: str) -> str:
    return f"/api/workflows/{part(workflow)}/steps/{part(step)}/log"


def _say_rest(step: str, first: Piece, last: Piece) -> None:
    if first.offset:
        say(f"{step}: {first.offset} bytes before this are left out; --all shows them", err=True)
    if not last.has_begun:
        say(f"{step}: its job has not begun; --follow waits for it, and `caroni-edge why {step}` says why", err=True)
    elif last.is_cut:
        say(f"{step}: this is the beginning; its agent keeps the rest", err=True)
    elif last.state == "agent-away":
        say(f"{step}: its agent is away; more may come when it is back", err=True)
    elif last.state == "coming":
        say(f"{step}: the job has not ended; --follow goes on", err=True)
    elif not last.following:
        say(f"{step}: its job has written nothing", err=True)
