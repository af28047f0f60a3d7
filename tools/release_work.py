"""What the checks of a release are made of: clones of the commit, commands that run in them, and what they make.

It needs the standard library alone.
"""

import ast
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "release"
SAYS = "prepended CARONIROCKSappend"
WITHIN_S = 3600.0


class Fault(Exception):
    """What keeps this from being a release, for people."""


class Skipped(Exception):
    """Why something cannot be checked here, for people."""


@dataclass(frozen=True)
class Release:
    """What is checked.

    Attributes:
        version: As the program says it.
        source: A clone, in which all is made.
        again: Another clone, in which all is made again.
        arch: Debian's name of this machine's architecture.
    """

    version: str
    source: Path
    again: Path
    arch: str

    @property
    def made(self) -> Path:
        """Where everything is that was made."""
        return self.source / "dist"

    def binary(self, arch: str) -> Path:
        """Return the program in one file for an architecture."""
        return there(self.made / f"caroni-edge-{self.version}-linux-{arch}")

    def package(self, arch: str) -> Path:
        """Return the Debian package."""
        return there(self.made / f"caroni-edge_{self.version}_{arch}.deb")

    @property
    def wheel(self) -> Path:
        """The wheel."""
        return there(self.made / f"caroni_edge-{self.version}-py3-none-any.whl")

    @property
    def sdist(self) -> Path:
        """The source package."""
        return there(self.made / f"caroni_edge-{self.version}.tar.gz")


def clone() -> Release:
    """Return the commit, cloned twice."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    clones = WORK / "source", WORK / "made-again"
    for each in clones:
        run("git", "clone", "--quiet", str(ROOT), str(each), where=WORK)
    tree = ast.parse((clones[0] / "caroni_edge" / "__init__.py").read_text(encoding="utf-8"))
    version = next(ast.literal_eval(each.value) for each in tree.body if isinstance(each, ast.Assign))
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return Release(version, *clones, arch)


def build(where: Path, name: str, *command: str, **environ: str) -> None:
    """Make something in a clone."""
    date = run("git", "log", "-1", "--format=%ct", where=where)
    run(*command, where=where, log=WORK / f"{name}.log", SOURCE_DATE_EPOCH=date, **environ)


def try_program(release: Release, program: list[str]) -> float:
    """Run the program in an empty directory with nothing around it; return how long its demo takes."""
    with tempfile.TemporaryDirectory() as empty:
        where = Path(empty)
        alone = ("env", "-i", "PATH=/nonexistent", f"HOME={empty}", f"TMPDIR={empty}", *program)
        if (said := run(*alone, "--version", where=where)) != f"caroni-edge {release.version}":
            raise Fault(f"it says that it is {said}")
        for role in ("manager", "agent"):
            run(*alone, "init", role, role, where=where)
            run(*alone, "check-config", f"{role}/{role}.yaml", where=where)
        began = time.monotonic()
        if not run(*alone, "demo", where=where).endswith(SAYS):
            raise Fault("its demo shows another result")
        return time.monotonic() - began


def run(*command: str, where: Path, log: Path | None = None, **environ: str) -> str:
    """Run a command, and return what it says; one that fails is a fault, with its last words."""
    done = subprocess.run(
        command,
        check=False,
        cwd=where,
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        last = "\n        ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise Fault(f"`{' '.join(command)}` failed:\n        {last}" + (f"\n        All is in {log}" if log else ""))
    return done.stdout.strip()


def there(path: Path) -> Path:
    """Return a file that must have been made."""
    if not path.exists():
        raise Fault(f"{path.name} was not made")
    return path


def files_of(package: Path) -> Iterator[str]:
    """Yield what a package must have, as the wheel names it; some of its folders are links to others."""
    for parent, folders, names in os.walk(package, followlinks=True):
        folders[:] = [each for each in folders if each != "__pycache__"]
        yield from (str((Path(parent) / name).relative_to(package.parent)) for name in names)


def glibc_versions(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the versions of glibc that the libraries of the program ask for."""
    for path in [folder / "caroni-edge", *folder.rglob("*.so*")]:
        for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", run("objdump", "-T", str(path), where=WORK)):
            yield int(major), int(minor)


def difference(first: Path, second: Path) -> str:
    """Say where two files differ; nothing where they are the same."""
    one, other = first.read_bytes(), there(second).read_bytes()
    if one == other:
        return ""
    at = next(index for index, pair in enumerate(zip_longest(one, other)) if pair[0] != pair[1])
    return f"{len(one)} and {len(other)} bytes, which differ from byte {at} on; compare {first} and {second}"


def size(path: Path) -> str:
    """Say how large a file is."""
    return f"{path.stat().st_size / 1e6:.1f} MB"
