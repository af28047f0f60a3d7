"""Tries what this host can do: a box is made as for a job, with a program in it that does nothing."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from caroni_edge.agent.boxes import calls, each, shared
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.slotids import NO_SLOT_IDS, NoIds, SlotIds, find_slot_ids
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.boxes.wanted import Sandbox
from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.processes.workspace import SCRIPTS, make_roots, open_roots

BWRAP = "bwrap"
FILTER = "calls.filter"
"""Name of the file with the filter of system calls, in the state directory."""
WITHIN_S = 10.0

NO_BWRAP = "bubblewrap is not installed (bwrap)"

_TRUE = shutil.which("true") or "true"
_TRIED = ".tried"
_TRY_ID = """
as_user() {
    setpriv --reuid "$1" --regid "$1" --keep-groups --inh-caps=-all --ambient-caps=-all test "$2" "$3"
}
mkdir -p "$0"
chown "$1:$1" "$0"
as_user "$1" -x "$2" || { echo "jobs with an id of their own could not enter $2" >&2; exit 1; }
as_user "$1" -w "$0" && as_user "$1" -x "$3" || { echo "jobs with an id of their own could not get to $0" >&2; exit 1; }
rmdir "$0"
"""
"""What a keeper does for a job with an id, with its directory, the id, and where it must get to."""


def find_boxes(view: Hidden, environ: Mapping[str, str]) -> Boxes:
    """Return what an agent can make boxes with.

    Args:
        view: What they are to hide.
        environ: Its environment.

    Raises:
        OSError: The directories of its jobs and scripts are not there, and cannot be made.
    """
    make_roots(Path(view.state_dir))  # a new agent has none yet, and a box without them cannot be tried
    return look(view, environ.get("PATH"))


def look(view: Hidden, path: str | None, parent: str = "") -> Boxes:
    """Try what this host can do.

    Args:
        view: What boxes would hide; the state directory is there, with the directories of jobs and scripts.
        path: Where programs are looked for.
        parent: Where jobs must get to; empty: to the directory that the state directory is in.

    Raises:
        OSError: The filter of system calls cannot be written into the state directory.
    """
    ids, no_ids = _find_ids(path)
    bwrap = shutil.which(BWRAP, path=path)
    if bwrap is None:
        return Boxes(Able(NO_BWRAP, NO_BWRAP, NO_BWRAP), "", view)
    as_root = os.geteuid() == 0
    for_all = shared.arguments(bwrap, view, as_root=as_root)
    written = _write_filter(view.state_dir)
    with ExitStack() as stack:
        descriptors: list[int] = []

        def opened(path: str) -> int:
            descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, descriptors[-1])
            return descriptors[-1]

        for_one = each.arguments(
            bwrap,
            view,
            Sandbox(each=True),
            as_root=as_root,
            calls=written,
            opened=opened,
            readable=(),
            writable=(),
            work="/",
        )
        no_each = _problem([*for_one, _TRUE], *descriptors)
    no_shared = _problem([*for_all, _TRUE])
    if not (no_ids := no_shared or no_ids):
        no_ids = _ids_problem(bwrap, view, ids, parent or os.path.dirname(view.state_dir), as_root=as_root)
    return Boxes(Able(no_shared, no_each, no_ids), bwrap, view, written, NO_SLOT_IDS if no_ids else ids)


def _find_ids(path: str | None) -> tuple[SlotIds, str]:
    """Return the ids that slots may have, and why there are none."""
    try:
        return find_slot_ids(path), ""
    except NoIds as error:
        return NO_SLOT_IDS, str(error)


def _ids_problem(bwrap: str, view: Hidden, ids: SlotIds, parent: str, *, as_root: bool) -> str:
    """Return why no job can be started with an id of its own; empty where one can."""
    open_roots(Path(view.state_dir))
    box = ids.within(shared.arguments(bwrap, view, as_root=as_root, has_ids=True))
    tried = f"{view.state_dir}/{JOBS}/{_TRIED}"
    words = ["/bin/sh", "-ec", _TRY_ID, tried, str(ids.range.first), parent, f"{view.state_dir}/{SCRIPTS}"]
    return _problem([*box, *words], *ids.descriptors)


def _write_filter(state_dir: str) -> str:
    """Write the filter of system calls down, and return where; empty where none is known for this machine."""
    found = calls.filter_here()
    if found is None:
        return ""
    path = f"{state_dir}/{FILTER}"
    files.replace(path, found)
    return path


def _problem(argv: list[str], *descriptors: int) -> str:
    """Return why a box cannot be made, or why what runs in it fails; empty where it does not."""
    try:
        tried = subprocess.run(
            argv,
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
