"""The program that needs no Python, built once for all tests."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `make dist`, and return the checkout that has it. Without PyInstaller tests are skipped; in CI they fail."""
    if not (ROOT / "build" / "venv").exists():
        message = "PyInstaller is not installed: tools/setup.sh dist"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent  # which all workers share
    with (session / "built").open("a+") as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        if not done.tell():
            made = subprocess.run([ROOT / "tools" / "dist.sh"], check=False, capture_output=True, text=True)
            assert made.returncode == 0, made.stdout + made.stderr
            done.write("yes")
    return ROOT


@pytest.fixture(scope="session")
def binary(built: Path) -> Path:
    """Return the one file."""
    (found,) = (each for each in (built / "dist").glob("caroni-edge-*-linux-*") if each.suffix != ".json")
    return found
