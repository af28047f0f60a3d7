"""Jobs whose slots have user ids: of an agent that is root, of an ordinary user with a range of them, or without."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from caroni_edge.values.carried import file_value
from tests.brokers import find
from tests.support import own_number
from tests.trespasses import ACTS, READS, SECRET

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = os.pathsep.join((str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))))
OURS = 1879048192 + 131072 * own_number("user-ids", 2_000)
"""User ids that no other process of tests gives its jobs: what these find is told by whose it is."""

RANGES = f"caroni-edge:{OURS}:65536\n65534:{OURS + 65536}:65536\n"
GIVEN = """
for file in /etc/subuid /etc/subgid; do mount --bind "$0" "$file"; done
exec "$@"
"""
"""Puts other ranges into the place of the host's, for those alone who are started by it."""
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3")
"""Another user, and a Python that is everybody's: that of the tests may lie in root's home."""


BY_ITS_UNIT = (
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all,+setuid,+setgid", "--ambient-caps=+setuid,+setgid", "--bounding-set=-all,+setuid,+setgid"),
    "/usr/bin/python3",
)
"""The same, with what the unit allows (packaging/systemd): no newuidmap, but what that would do."""


class User(NamedTuple):
    """An agent's user: its name, what starts a Python as that user, and whether it has a range of ids."""

    name: str
    python: tuple[str, ...]
    has_ids: bool


USERS = {
    "root": User("root", (sys.executable,), has_ids=True),
    "nobody": User("nobody", NOBODY, has_ids=True),
    "unit": User("nobody", BY_ITS_UNIT, has_ids=True),
    "nobody without": User("nobody", NOBODY, has_ids=False),
}


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a directory that others may enter."""
    find("bwrap", "bubblewrap")
    if os.geteuid():
        pytest.skip("only root can have other users")
    directory = Path(tempfile.mkdtemp(prefix="caroni-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
    for common in ("/tmp", "/var/tmp", "/dev/shm"):
        for left in Path(common).glob(f"{directory.name}*"):
            left.unlink()


def played(home: Path, scene: str, user: User) -> dict[str, Any]:
    """Play a scene of `tests.neighbours` as a user; return what has come of it."""
    if user.python is NOBODY and user.has_ids:
        find("newuidmap", "uidmap")
    if user.name == "nobody":
        os.chown(home, 65534, 65534)
    ranges = home / "ranges"
    ranges.write_text(RANGES if user.has_ids else "")
    given = ("unshare", "--mount", "/bin/sh", "-ec", GIVEN, str(ranges))
    done = subprocess.run(
        [*given, *user.python, "-m", "tests.neighbours", str(home), scene],
        cwd=home,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES},
    )
    if "tests" in done.stderr and "Permission denied" in done.stderr:
        pytest.skip(f"another user cannot use this checkout: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    no_shared, no_each, no_ids = found["able"]
    assert (no_shared, no_each) == ("", ""), "no box can be made here"
    assert bool(no_ids) is not user.has_ids, no_ids
    return found


with_ids = pytest.mark.parametrize("user", [user for user in USERS.values() if user.has_ids], ids=list(USERS)[:-1])


@with_ids
def test_no_job_can_touch_another_one(home: Path, user: User) -> None:
    found = played(home, "attacked", user)
    assert SECRET not in found["log"]
    done = [line for line in found["log"].splitlines() if line.endswith("/DONE") and not line.startswith("read ")]
    assert done == []
    assert found["log"].count("/UNDONE") >= len(ACTS), found["log"]
    assert found["outputs"] == {"secret": SECRET}, found["victim log"]
    assert found["intact"]
    assert all(found["intact"].values()), found["intact"]


def test_without_ids_the_same_attacks_succeed(home: Path) -> None:
    found = played(home, "attacked", USERS["nobody without"])
    assert found["log"].count("/DONE") >= len(READS) + len(ACTS) - 8, found["log"]
    assert found["outputs"] != {"secret": SECRET}


@with_ids
def test_nothing_of_a_job_is_left_to_the_next_one_with_its_id(home: Path, user: User) -> None:
    found = played(home, "left_over", user)
    first, second, others = found["users"]
    assert first == second
    assert others not in {first, 0}, "one of another manager"
    assert found["left"] == {"after": file_value("after", b"xy")}, "the agent reads what the id owned"
    assert found["found"] == found["found by another"] == {"found": {}}
    assert found["disk"] > 600 * 1024, "what the agent cannot see is counted too"


@with_ids
def test_jobs_with_ids_outlive_their_agent_and_end_with_their_keeper(home: Path, user: User) -> None:
    found = played(home, "outlived", user)
    assert found["first"] == found["user"] > 0
    assert found["second"] not in {found["first"], 0}
    assert "ended unseen" in found["third"]
    assert found["fourth"] == found["first"], "an id is free when its box is gone"


@with_ids
def test_two_boxes_of_an_agent_never_use_one_id(home: Path, user: User) -> None:
    found = played(home, "two_boxes", user)
    first, second = found["users"]
    assert first == found["first"]
    assert second not in {first, 0}


@with_ids
def test_all_of_a_job_with_an_id_ends_with_it_and_is_bounded(home: Path, user: User) -> None:
    found = played(home, "ended", user)
    assert found["success"] == ""
    assert found["timeout"] == "ended after its timeout of 3s"
    assert found["killed"] == "enough"
    assert found["processes"].endswith(" processes, and may have 80")
    assert found["disk"].endswith(" on disk, and may have 4M")
    assert found["log"] == "ended because its standard error had become larger than 64K"
    assert found["memory"], "it fails by itself where the kernel limits it, and is ended where the keeper must look"
