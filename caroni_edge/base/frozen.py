"""What is different where PyInstaller has made one program of Python, all packages and Caroni Edge.

Such a program comes as one file, which unpacks its libraries into a folder of $TMPDIR at each start, or with that
folder beside it, as the Debian package has it. Both outlive what they were started from: the folder may be cleaned
away, and the program's file is replaced when it is upgraded. So all that may be loaded later is held open from the
start on, and the one file empties its folder at once. The empty one stays, locked, until the end, so that its name is
nobody else's.
"""

import ctypes
import fcntl
import importlib
import os
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import FrameType, ModuleType

RESOURCES = "assets.caroni-edge.zip"
"""In the folder: the files of our packages that are no Python. By its name the folder is known to be ours."""

STANDARD_MODULES = "base_library.zip"
"""In the folder of each program that PyInstaller makes; unpacked after the libraries and what sorts before it."""

_FOLDER = "_MEI"
_PRIVATE = "_PYI_"
_LIBRARY_PATH = "LD_LIBRARY_PATH"
_PR_SET_PDEATHSIG = 1
_ONE_KEY_S = 0.2
_LEFT_FOR_S = 60.0


def is_frozen() -> bool:
    """Tell whether this is such a program."""
    return bool(getattr(sys, "frozen", False))


def program(module: str = "caroni_edge") -> list[str]:
    """Return the command that starts this very program; where there is a Python, its module `module`."""
    return [sys.executable] if is_frozen() else [sys.executable, "-P", "-m", module]


def stand_alone() -> None:
    """Let this process need nothing that it was started from, and what it starts get the environment it was given."""
    restore_environment(os.environ)
    folder = Path(sys._MEIPASS)  # type: ignore[attr-defined]
    _hold_program()
    _hold_standard_modules(str(folder / STANDARD_MODULES))
    _hold_resources(folder / RESOURCES)
    if folder.name.startswith(_FOLDER):
        _follow_parent()
        sys.meta_path.append(HeldExtensions(dict(_extensions(folder))))
        _lock(folder)
        empty(folder)
        remove_left(folder.parent, time.time())


def restore_environment(environ: MutableMapping[str, str]) -> None:
    """Take out what the program's start has put into the environment for itself."""
    original = environ.pop(f"{_LIBRARY_PATH}_ORIG", None)
    environ.pop(_LIBRARY_PATH, None)
    if original is not None:
        environ[_LIBRARY_PATH] = original
    for name in [name for name in environ if name.startswith(_PRIVATE)]:
        del environ[name]


class HeldExtensions(MetaPathFinder):
    """Finds extension modules whose libraries are loaded already, so that their files may be gone."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        """Load the libraries.

        Args:
            paths: The file of each module.
        """
        self._paths = dict(paths)
        for path in self._paths.values():
            ctypes.CDLL(path)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how a module of ours is loaded: the linker knows the library by the path that it had."""
        file = self._paths.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, file))


def empty(folder: Path) -> None:
    """Remove what is in a folder, as far as somebody has not done so already."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry, ignore_errors=True)
        else:
            Path(entry).unlink(missing_ok=True)


def remove_left(directory: Path, date: float) -> None:
    """Remove the folders of runs that were killed.

    Args:
        directory: Where programs unpack themselves.
        date: Now. What has been written a moment ago belongs to a run that is about to begin.
    """
    for folder in directory.glob(f"{_FOLDER}*"):
        try:
            if folder.stat().st_uid == os.getuid() and _is_left(folder, date):
                empty(folder)
                folder.rmdir()
        except OSError:  # somebody else was faster, or it is in use
            continue


def _is_left(folder: Path, date: float) -> bool:
    """Tell whether a folder is of a run that was killed: of ours, or of one that had not unpacked itself yet."""
    entries = list(folder.rglob("*"))
    if (folder / STANDARD_MODULES).exists() and not (folder / RESOURCES).exists():
        return False
    if max(each.lstat().st_mtime for each in (folder, *entries)) > date - _LEFT_FOR_S:
        return False
    os.close(_lock(folder))
    return True


def _lock(folder: Path) -> int:
    """Lock a folder as long as the descriptor is open; systemd's cleaner of /tmp goes by such locks, too.

    Raises:
        BlockingIOError: Its run goes on.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def _extensions(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the file of each extension module; those of Python itself have a folder of their own."""
    for path in folder.rglob("*.so"):
        name, _, suffix = path.name.partition(".")
        if f".{suffix}" not in EXTENSION_SUFFIXES:
            continue
        within = path.parent.relative_to(folder).parts
        package = () if within[-1:] == ("lib-dynload",) else within
        yield ".".join((*package, name)), str(path)


def _held(path: str | Path) -> str:
    """Open a file for as long as this process lives; return a path that leads to it whatever happens to its name."""
    return f"/proc/self/fd/{os.open(path, os.O_RDONLY | os.O_CLOEXEC)}"


def _hold_program() -> None:
    """Read Python modules from the program's file as it is now."""
    archive = importlib.import_module("pyimod02_importers").pyz_archive
    archive._filename = _held(archive._filename)


def _hold_standard_modules(path: str) -> None:
    """Read the modules that Python itself begins with from their archive as it is now."""
    held = _held(path)
    sys.path[:] = [held + entry[len(path) :] if entry.startswith(path) else entry for entry in sys.path]
    for module in list(sys.modules.values()):
        for number, entry in enumerate(places := getattr(module, "__path__", [])):
            if entry.startswith(path):
                places[number] = held + entry[len(path) :]


class _Resources:
    """Reads the resources of a package for `importlib.resources`."""

    def __init__(self, archive: str, package: str) -> None:
        self._archive, self._package = archive, package

    def files(self) -> zipfile.Path:
        """Return the package's folder."""
        return zipfile.Path(self._archive, f"{self._package.replace('.', '/')}/")


def _hold_resources(path: Path) -> None:
    """Read what packages have beside their modules from its archive as it is now, and what their versions are."""
    held = _held(path)
    sys.path.append(held)  # `importlib.metadata` looks there
    loader = importlib.import_module("pyimod02_importers").PyiFrozenLoader
    loader.get_resource_reader = lambda _self, package: _Resources(held, package)


def _follow_parent() -> None:
    """End with the process that has unpacked the one file: people know its pid, and it passes their signals on."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    last = -_ONE_KEY_S

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Ctrl-C reaches both processes, and so this one twice.
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= _ONE_KEY_S:
            signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
