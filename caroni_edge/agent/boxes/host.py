"""Tries what this host can do: a box is made as for a job, with a program in it that does nothing."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from caroni_edge.agent.boxes import calls, each, shared
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.view import Hidden, hidden
from caroni_edge.agent.boxes.wanted import Sandbox
from caroni_edge.agent.keeper import files
from caroni_edge.agent.processes.workspace import make_roots
from caroni_edge.config import AgentConfig
from caroni_edge.config.kinds import CREDENTIALS

BWRAP = "bwrap"
FILTER = "calls.filter"
"""Name of the file with the filter of system calls, in the state directory."""
WITHIN_S = 10.0

NO_BWRAP = "bubblewrap is not installed (bwrap)"


def find_boxes(config: AgentConfig, environ: Mapping[str, str]) -> Boxes:
    """Return what an agent can make boxes with.

    Raises:
        OSError: The directories of its jobs and scripts are not there, and cannot be made.
    """
    make_roots(config.state_dir)  # a new agent has none yet, and a box without them cannot be tried
    secrets = (config.path.absolute(), *config.secret_files)
    return look(hidden(config.state_dir.absolute(), secrets, environ.get(CREDENTIALS)), environ.get("PATH"))


def look(view: Hidden, path: str | None) -> Boxes:
    """Try what this host can do.

    Args:
        view: What boxes would hide; the state directory is there, with the directories of jobs and scripts.
        path: Where programs are looked for.

    Raises:
        OSError: The filter of system calls cannot be written into the state directory.
    """
    bwrap = shutil.which(BWRAP, path=path)
    if bwrap is None:
        return Boxes(Able(NO_BWRAP, NO_BWRAP), "", view)
    as_root = os.geteuid() == 0
    for_all = shared.arguments(bwrap, view, as_root=as_root)
    written = _write_filter(view.state_dir)
    with _opened(written) as filtered_by:
        for_one = each.arguments(
            bwrap,
            view,
            Sandbox(each=True),
            as_root=as_root,
            filtered_by=filtered_by,
            readable=(),
            writable=(),
            work="/",
        )
        able = Able(_problem(for_all), _problem(for_one, *([] if filtered_by is None else [filtered_by])))
    return Boxes(able, bwrap, view, written)


def _write_filter(state_dir: str) -> str:
    """Write the filter of system calls down, and return where; empty where none is known for this machine."""
    found = calls.filter_here()
    if found is None:
        return ""
    path = f"{state_dir}/{FILTER}"
    files.replace(path, found)
    return path


@contextmanager
def _opened(path: str) -> Iterator[int | None]:
    if not path:
        yield None
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _problem(box: list[str], *descriptors: int) -> str:
    """Return why a box cannot be made; empty where it can."""
    nothing = shutil.which("true") or "true"
    try:
        tried = subprocess.run(
            [*box, nothing],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_S,
            pass_fds=descriptors,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap: {error}"
    said = tried.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return "" if tried.returncode == 0 else said or f"bubblewrap ended with exit status {tried.returncode}"
