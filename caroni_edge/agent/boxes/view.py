"""What is the agent's on this host, and must not be seen by its jobs."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_MOUNTS = "/proc/self/mountinfo"


class Hidden(NamedTuple):
    """What a box hides.

    Attributes:
        state_dir: The agent's state directory; absolute, and no link.
        directories: Other directories, such as another way to the state directory.
        files: Files: the configuration, and the secrets that it names.
    """

    state_dir: str
    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def within(self, path: str) -> "Hidden":
        """Return what of it lies below a path of the host."""
        return Hidden(
            self.state_dir if _is_below(self.state_dir, path) else "",
            tuple(each for each in self.directories if _is_below(each, path)),
            tuple(each for each in self.files if _is_below(each, path)),
        )

    def joined(self, other: "Hidden") -> "Hidden":
        """Return what both hide, as far as it is still there: what is no secret any more may hold one of before."""
        there = {path for path in self.files if os.path.exists(path)}
        directories = {path for path in self.directories if os.path.isdir(path)}
        return Hidden(
            other.state_dir,
            tuple(sorted(directories.union(other.directories))),
            tuple(sorted(there.union(other.files))),
        )


def hidden(state_dir: Path, secret_files: Iterable[Path], credentials: str | None) -> Hidden:
    """Find what is to be hidden, by all the names that it has on this host.

    Args:
        state_dir: The agent's.
        secret_files: The configuration, and what it names; one that is not there is left out.
        credentials: The directory where systemd tells this service its secrets; None where there is none.
    """
    state = os.path.realpath(state_dir)
    mounts = _read_mounts()
    files = {os.path.realpath(each) for each in secret_files if os.path.exists(each)}
    directories = {*_other_names(state, mounts), *([os.path.realpath(credentials)] if credentials else [])}
    for file in list(files):
        files.update(_other_names(file, mounts))
    outside = sorted(each for each in files if not _is_below(each, state))
    return Hidden(state, tuple(sorted(each for each in directories if os.path.isdir(each))), tuple(outside))


def clash(paths: Iterable[str], state_dir: Path) -> str:
    """Return why a box of a job's own cannot show these paths, for people; empty where it can.

    What holds the agent's state could be moved away by a job with the state in it, and another be put in its place.

    Args:
        paths: What the job type wants to be seen.
        state_dir: The agent's.
    """
    state = os.path.realpath(state_dir)
    for path in paths:
        real = os.path.realpath(path)
        if _is_below(state, real) or _is_below(real, state):
            where = "holds" if _is_below(state, real) else "is in"
            return f"its sandbox is to show {path}, which {where} the agent's state_dir {state_dir}: name other paths"
    return ""


def _is_below(path: str, top: str) -> bool:
    return bool(path) and (path == top or path.startswith(top.rstrip("/") + "/"))


class _Mount(NamedTuple):
    device: str
    root: str
    point: str


def _read_mounts() -> list[_Mount]:
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return [_Mount(fields[2], _plain(fields[3]), _plain(fields[4])) for fields in map(str.split, file)]
    except OSError:
        return []


def _other_names(path: str, mounts: list[_Mount]) -> Iterator[str]:
    """Yield where else a file or directory is to be seen, since its file system is mounted in several places."""
    containing = [mount for mount in mounts if _is_below(path, mount.point)]
    if not containing:
        return
    own = max(reversed(containing), key=lambda mount: len(mount.point))
    inner = os.path.normpath(os.path.join(own.root, os.path.relpath(path, own.point)))
    for mount in mounts:
        if mount.device == own.device and mount is not own and _is_below(inner, mount.root):
            other = os.path.normpath(os.path.join(mount.point, os.path.relpath(inner, mount.root)))
            if other != path and _is_same(other, path):
                yield other


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _plain(text: str) -> str:
    """Return a path of mountinfo with its escaped characters as they are (proc(5))."""
    return (
        text.encode("utf-8", "surrogateescape")
        .decode("unicode_escape")
        .encode("latin-1")
        .decode("utf-8", "surrogateescape")
        if "\\" in text
        else text
    )
