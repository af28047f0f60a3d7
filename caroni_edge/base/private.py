"""Files that are their owner's alone, whatever the umask, and the short name of one that lies deep."""

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def opener(path: str, flags: int) -> int:
    """Open a file; one that is made thereby is private (an `opener` of `open`)."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def narrow(directory: Path) -> None:
    """Take from others what they may do with a directory and with what lies in it; the log says so.

    A directory that is shared by its nature (sticky, as /tmp) is left as it is, and the log says that too.
    """
    if directory.stat().st_mode & stat.S_ISVTX:
        said = "%s is for everybody, and holds what others should not read: give the node a state_dir of its own"
        log.warning(said, directory, extra={"action": "state_dir_open"})
        return
    narrowed = [path.name for path in (directory, *sorted(directory.iterdir())) if _narrow(path)]
    if narrowed:
        said = "others could use %s in %s until now; from now on its owner alone can"
        log.warning(said, ", ".join(narrowed), directory, extra={"action": "state_dir_narrowed"})


def _narrow(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & _OTHERS:
        return False
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        said = "others may use %s, and that cannot be changed: %s"
        log.warning(said, path, error.strerror, extra={"action": "state_dir_open"})
        return False
    return True
