"""The program that needs no Python, built once for all tests."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from caroni_edge import __version__
from tests.brokers import find

OLDER_VERSION = "0.0.9"
ROOT = Path(__file__).resolve().parents[2]


def make(tmp_path_factory: pytest.TempPathFactory, tool: str, **environ: str) -> None:
    """Run a tool once in this session, whichever worker comes first; the others wait for it."""
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent  # which all workers share
    with (session / f"{tool}-done").open("a+") as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        if not done.tell():
            command = [ROOT / "tools" / tool]
            made = subprocess.run(command, check=False, env=os.environ | environ, capture_output=True, text=True)
            assert made.returncode == 0, made.stdout + made.stderr
            done.write("yes")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `make dist`, and return where it has put all. Without PyInstaller tests are skipped; in CI they fail."""
    if not (ROOT / "build" / "venv").exists():
        message = "PyInstaller is not installed: tools/setup.sh dist"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    make(tmp_path_factory, "dist.sh")
    return ROOT / "dist"


@pytest.fixture(scope="session")
def binary(built: Path) -> Path:
    """Return the one file."""
    (found,) = (each for each in built.glob("caroni-edge-*-linux-*") if each.suffix != ".json")
    return found


@pytest.fixture(scope="session")
def package(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `make deb` on what is built already, and return the package."""
    find("dpkg-deb", "dpkg")
    make(tmp_path_factory, "deb.sh", BUILT="1")
    (found,) = built.glob("caroni-edge_*.deb")
    return found


@pytest.fixture(scope="session")
def older_package(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package as one of an older version, so that the other one is an upgrade."""
    directory = tmp_path_factory.mktemp("older")
    subprocess.run(["dpkg-deb", "--raw-extract", package, directory / "root"], check=True)
    control = directory / "root" / "DEBIAN" / "control"
    control.write_text(control.read_text().replace(f"\nVersion: {__version__}\n", f"\nVersion: {OLDER_VERSION}\n"))
    made = directory / "older.deb"
    words = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(directory / "root"), str(made)]
    subprocess.run(words, check=True, capture_output=True)
    return made
