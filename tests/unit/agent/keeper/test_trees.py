"""Whose a process is: by its parents, its session and its marks."""

import os
import resource
import subprocess
import sys

import pytest

from caroni_edge.agent.keeper import trees
from caroni_edge.agent.keeper.proc import Process, descendants, read_process
from caroni_edge.agent.keeper.trees import (
    Trees,
    leader,
    marked,
    marking,
    number_of,
    number_on,
    outputs_on,
    put_down,
    softly,
)
from tests.support import wait_until

OUTPUTS = f"/var/lib/caroni-edge/agent/jobs/0123456789abcdef{os.getpid()}/outputs"
OTHER = OUTPUTS.replace("0123", "3210")


def process(pid: int, parent: int, state: str = "S", session: int = 0, began: int = 1) -> Process:
    return Process(pid, "sleep", state, parent, session, began, 1, 4096)


def test_descendants_are_all_that_live_below() -> None:
    found = [process(2, 1), process(3, 2), process(4, 3, "Z"), process(5, 4), process(6, 1), process(7, 6)]
    table = {each.pid: each for each in found}
    assert {each.pid for each in descendants([2], table)} == {2, 3, 5}
    assert {each.pid for each in descendants([3, 6, 99], table)} == {3, 5, 6, 7}
    assert descendants([], table) == []


def test_a_loop_of_parents_ends() -> None:
    """What was read at two moments need be no tree."""
    assert len(descendants([2], {2: process(2, 3), 3: process(3, 2)})) == 2


def test_a_process_says_what_it_is() -> None:
    found = read_process(os.getpid())
    assert found is not None
    assert (found.pid, found.parent, found.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert found.is_alive
    assert found.memory_bytes > 1 << 20
    assert read_process(1 << 22) is None


def test_the_name_of_a_program_confuses_nobody() -> None:
    text = "import ctypes, os; ctypes.CDLL(None).prctl(15, b') Z 1 (x', 0, 0, 0); print(flush=True); os.read(0, 1)"
    with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = read_process(child.pid)
        child.communicate()
    assert found is not None
    assert (found.name, found.parent, found.is_alive) == (") Z 1 (x", os.getpid(), True)


def test_jobs_have_numbers_of_their_own() -> None:
    names = [f"/srv/{'agent' * length}/jobs/{job:020x}/outputs" for length in range(20) for job in range(500)]
    assert len({number_of(name) for name in names}) == len(names)
    assert all(0 <= number_of(name) < 1 << 61 for name in names)
    assert number_of("/srv/\udcff/outputs") > 0


def sleeping(*words: str, outputs: str = OUTPUTS) -> subprocess.Popen[bytes]:
    with marking(outputs):
        return subprocess.Popen([*words, "sleep", "600"])


def test_a_mark_is_passed_on_and_taken_from_nobody_else() -> None:
    before = resource.getrlimit(10)
    with sleeping("env", "-i", "setsid") as own, sleeping(outputs=OTHER) as other:
        assert resource.getrlimit(10) == before
        assert number_on(own.pid) == number_of(OUTPUTS)
        assert marked(OUTPUTS) == [own.pid]
        put_down(marked(OUTPUTS))
        assert own.wait() == -9
        assert other.poll() is None
        other.kill()


def test_the_variable_is_a_mark_too() -> None:
    with subprocess.Popen(["sleep", "600"], env={"A": "b", "CARONI_OUTPUTS": OUTPUTS}, start_new_session=True) as child:
        try:
            # The kernel shows the variables of a new program a moment after it has begun.
            assert wait_until(lambda: outputs_on(child.pid), what="its variables") == OUTPUTS
            assert marked(OUTPUTS) == [child.pid]
            assert leader(OUTPUTS) == child.pid
        finally:
            child.kill()


def test_what_is_not_there_is_of_nobody() -> None:
    assert (marked(OUTPUTS), leader(OUTPUTS)) == ([], 0)
    assert (number_on(1 << 22), outputs_on(1 << 22)) == (0, "")


def test_a_limit_that_cannot_be_is_left_out() -> None:
    before, most = resource.getrlimit(resource.RLIMIT_CORE)
    with softly(resource.RLIMIT_CORE, None):
        assert resource.getrlimit(resource.RLIMIT_CORE) == (before, most)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with softly(resource.RLIMIT_NOFILE, most + 1):
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= most


MULTIPLY = """
import os, time
for _ in range(6):
    os.fork()
if os.getsid(0) != os.getpid():
    os.setsid()
time.sleep(600)
"""


def test_who_multiplies_is_stopped_first() -> None:
    with marking(OUTPUTS), subprocess.Popen([sys.executable, "-c", MULTIPLY]) as child:
        wait_until(lambda: len(marked(OUTPUTS)) > 1, what="its children")
        put_down([child.pid])
        assert child.wait() == -9
    put_down(marked(OUTPUTS))  # what had lost its parent before
    wait_until(lambda: not marked(OUTPUTS), what="the end of all")


@pytest.mark.parametrize(
    ("session", "number", "outputs", "began", "expected"),
    [
        (100, 0, "", 99, {"a"}),
        (7, number_of("b"), "", 99, {"b"}),
        (7, 0, "b", 99, {"b"}),
        (7, 0, "c", 99, {"a", "b"}),
        (7, 12345, "", 15, {"a"}),
        (7, 0, "", 5, set()),
    ],
)
def test_whose_an_orphan_is(
    monkeypatch: pytest.MonkeyPatch, session: int, number: int, outputs: str, began: int, expected: set[str]
) -> None:
    orphan = process(300, 1, session=session, began=began)
    monkeypatch.setattr(trees, "own_children", lambda: [100, 200, 300])
    monkeypatch.setattr(trees, "read_process", lambda _: orphan)
    monkeypatch.setattr(trees, "number_on", lambda _: number)
    monkeypatch.setattr(trees, "outputs_on", lambda _: outputs)
    monkeypatch.setattr(Trees, "_is_over", lambda *_: False)
    ended: list[int] = []
    monkeypatch.setattr(trees, "put_down", ended.extend)
    found = Trees(is_reaper=True)
    found.add("a", 100, 10)
    found.add("b", 200, 20)
    assert found.orphans() == {300: expected}
    assert found.rest_of("a", is_child=True) == ([300] if "a" in expected else [])
    assert found.roots_of("a", 100) == ([100, 300] if expected == {"a"} else [100])
    found.end_strays()
    assert ended == ([] if expected else [300])
    for job, pid in (("a", 100), ("b", 200)):
        found.remove(job, pid)
    assert found.orphans().keys() >= {300}


def test_what_an_orphan_has_used_is_its_jobs_though_it_ends_while_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    looks = iter([[pid], []])
    monkeypatch.setattr(trees, "own_children", lambda: next(looks))
    monkeypatch.setattr(trees, "read_process", lambda _: process(pid, 1, "R", session=100))
    found = Trees(is_reaper=True)
    found.add("a", 100, 10)
    assert found.orphans() == {}
    assert found.remove("a", 100).memory_bytes > 0


def test_who_has_ended_may_have_left_a_child_since(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[300, 301], [302], [302]])
    monkeypatch.setattr(trees, "own_children", lambda: next(looks))
    monkeypatch.setattr(trees, "read_process", lambda pid: process(pid, 1, began=15))
    monkeypatch.setattr(Trees, "_is_over", lambda _, pid: pid < 302)
    found = Trees(is_reaper=True)
    found.add("a", 100, 10)
    assert found.rest_of("a", is_child=True) == [302]


def test_who_forks_on_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    generations = iter([301, 302, 303, 303])
    ended: list[int] = []
    monkeypatch.setattr(trees, "own_children", lambda: [next(generations)])
    monkeypatch.setattr(trees, "read_process", lambda pid: process(pid, 1, began=15))
    monkeypatch.setattr(Trees, "_is_over", lambda *_: False)
    monkeypatch.setattr(trees, "_signal", lambda pid, _: ended.append(pid))
    found = Trees(is_reaper=True)
    found.add("a", 100, 10)
    found.end_rest_of("a", [], is_child=True)
    assert ended == [301, 302, 303]
