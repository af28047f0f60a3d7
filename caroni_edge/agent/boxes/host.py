"""Tries what this host can do: a box is made as for a job, with a program in it that does nothing."""

import os
import shutil
import subprocess
from typing import NamedTuple

from caroni_edge.agent.boxes import each, shared
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.boxes.wanted import Sandbox

BWRAP = "bwrap"
WITHIN_S = 10.0

NO_BWRAP = "bubblewrap is not installed (bwrap)"


class Host(NamedTuple):
    """A host that was tried.

    Attributes:
        bwrap: The path of bubblewrap; empty where there is none.
        able: What it can do.
    """

    bwrap: str
    able: Able


def look(hidden: Hidden, path: str | None) -> Host:
    """Try what this host can do.

    Args:
        hidden: What boxes would hide; the state directory is there, with the directories of jobs and scripts.
        path: Where programs are looked for.
    """
    bwrap = shutil.which(BWRAP, path=path)
    if bwrap is None:
        return Host("", Able(NO_BWRAP, NO_BWRAP))
    for_all = shared.arguments(bwrap, hidden, as_root=os.geteuid() == 0)
    for_one = each.arguments(bwrap, hidden, Sandbox(each=True), readable=(), writable=(), work="/")
    return Host(bwrap, Able(_problem(for_all), _problem(for_one)))


def _problem(box: list[str]) -> str:
    """Return why a box cannot be made; empty where it can."""
    nothing = shutil.which("true") or "true"
    try:
        tried = subprocess.run(
            [*box, nothing], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap: {error}"
    said = tried.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return "" if tried.returncode == 0 else said or f"bubblewrap ended with exit status {tried.returncode}"
