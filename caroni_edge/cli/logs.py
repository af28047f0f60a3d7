"""`caroni-edge logs`: the log of a step."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, manager_api, part, split_step
from caroni_edge.cli._output import is_terminal, say, say_json, say_text

POLL_S = 0.3
QUIET_POLLS = 7
"""So often nothing more has come: what there is now has arrived."""


class Piece(NamedTuple):
    """What came with one request: text, and whether that was all (`complete`, `coming` or `agent-away`)."""

    text: str
    state: str
    is_cut: bool


@click.command(epilog="Example: caroni-edge logs w1/upper --follow")
@click.argument("step", metavar="WORKFLOW/STEP")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--attempt", type=click.IntRange(1), help="Instead of the attempt that counts.")
@click.option("--raw", is_flag=True, help="Print it as it is, also to a terminal, which it may command.")
@manager_api
def logs(api: Api, step: str, follow: bool, attempt: int | None, raw: bool) -> None:
    """Show the log of a step: what its job has written to standard error."""
    workflow, name = split_step(step)
    if not name:
        raise UsageError(step, "a log is that of a step", f"Write {workflow}/STEP; `caroni-edge status` names them.")
    path = f"/api/workflows/{part(workflow)}/steps/{part(name)}/log"
    pieces = collect(api, path, attempt, is_following=follow)
    if api.as_json:
        found = list(pieces)
        text, last = "".join(piece.text for piece in found), found[-1]
        say_json({"workflow": workflow, "step": name, "state": last.state, "text": text}, None)
        return
    for piece in pieces:
        say_text(piece.text, raw=raw or not is_terminal())
        last = piece
    _say_rest(step, last)


def collect(
    api: Api, path: str, attempt: int | None, *, is_following: bool, pause: Callable[[float], Any] = time.sleep
) -> Iterator[Piece]:
    """Yield the log piece by piece, at least one.

    Args:
        api: The manager.
        path: Of the log.
        attempt: Which one; None: the one that counts.
        is_following: Go on until it is complete; otherwise until what there is now has arrived.
        pause: Waits for so many seconds.
    """
    offset = quiet = 0
    while True:
        answer = api.fetch("GET", path, attempt=attempt, offset=offset)
        state = answer.headers.get("Caroni-Log", "complete")
        following = int(answer.headers.get("Caroni-Log-Next", "0"))
        quiet = 0 if following > offset else quiet + 1
        offset = following
        yield Piece(answer.text, state, "Caroni-Log-Cut" in answer.headers)
        if state == "complete" or (not is_following and (state == "agent-away" or quiet >= QUIET_POLLS)):
            return
        pause(POLL_S)


def _say_rest(step: str, last: Piece) -> None:
    if last.is_cut:
        say(f"{step}: this is the beginning; its agent keeps the rest", err=True)
    elif last.state == "agent-away":
        say(f"{step}: its agent is away; more may come when it is back", err=True)
    elif last.state == "coming":
        say(f"{step}: the job has not ended; --follow goes on", err=True)
