"""The keeper where it has room for nothing, and jobs that do something to what is the keeper's: it goes on."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

import pytest

from caroni_edge.agent.keeper import ends as keeper_ends
from caroni_edge.agent.keeper.records import JOBS, RUNNING, read, write_end
from tests.brokers import find
from tests.keepers import ORDINARY, InProcess, Keeper, is_alive
from tests.support import wait_until

MakeKeeper = Callable[..., Keeper]

# What it must have room for


def test_an_end_that_finds_no_space_is_recorded_later(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([errno.ENOSPC, errno.EDQUOT])

    def full(*args: Any) -> None:
        if number := next(failures, 0):
            raise OSError(number, os.strerror(number))
        write_end(*args)

    monkeypatch.setattr(keeper_ends, "write_end", full)
    monkeypatch.setattr(keeper_ends, "RECORD_AGAIN_S", 0.01)
    assert in_process.run("job12345", "exit 4")["status"] == 4
    end = read(".", "job12345").end
    assert end is not None
    assert (next(failures, None), end.status) == (None, 4)


@pytest.mark.parametrize("where", [(os, "pidfd_open"), (DefaultSelector, "register")], ids=["pidfd", "selector"])
def test_a_job_that_cannot_be_watched_does_not_go_on(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch, where: tuple[object, str]
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    others = {*children_of(os.getpid())}
    monkeypatch.setattr(*where, fail)
    end = in_process.run("job12345", "sleep 600")
    said = "ended at once, because it could not be watched: Too many open files"
    assert (end["event"], end["kind"], end["reason"]) == ("exited", "killed", said)
    assert in_process.jobs.names() == []
    assert {*children_of(os.getpid())} <= others


@pytest.mark.parametrize("limits", [{"memory_bytes": "lots"}, {"nice": "very"}])
def test_whatever_fails_after_a_start_ends_the_job_and_is_said(keeper: Keeper, limits: dict[str, Any]) -> None:
    end = keeper.script("job12345", "sleep 600", **limits)
    assert (end["kind"], end["job"]) == ("killed", "job12345")
    assert end["reason"].startswith("ended at once, because it could not be watched: ")
    assert not keeper.running()
    assert not children_of(keeper.pid)


@pytest.mark.parametrize("order", [{"argv": []}, {"argv": 3}, {"argv": ["/bin/true"], "timeout_s": "long"}])
def test_an_answer_that_says_error_names_the_job(keeper: Keeper, order: dict[str, Any]) -> None:
    keeper.send(do="start", job="job12345", **order)
    said = keeper.hear("unknown", "job12345")
    assert said["do"] == "start"
    assert keeper.running() == []


def test_a_start_with_what_no_process_can_have_is_recorded_as_its_end(keeper: Keeper) -> None:
    (keeper.state_dir / JOBS / "job12345" / "work").mkdir(parents=True)
    keeper.send(do="start", job="job12345", argv=["/bin/true"], env=["no", "mapping"])
    assert keeper.hear("exited", "job12345")["kind"] == "spawn"
    assert keeper.running() == []


def test_where_descriptors_run_out_each_job_runs_or_says_that_there_is_no_room(
    make_keeper: MakeKeeper, tmp_path: Path
) -> None:
    few = ("/bin/sh", "-c", 'ulimit -n 130; exec "$@"', "sh")
    keeper = make_keeper(tmp_path / "state", within=few)
    jobs, gate = [f"job{number:05}" for number in range(40)], tmp_path / "gate"
    with gate.open("w") as shut:
        fcntl.flock(shut, fcntl.LOCK_EX)
        for job in jobs:
            keeper.start(job, find("flock", "util-linux"), "--shared", str(gate), "true")
        assert 20 < len(keeper.running()) < 40
    ended = {job: keeper.hear_of(job) for job in jobs}
    ran = [job for job, end in ended.items() if end["event"] == "exited" and end["status"] == 0]
    assert len(ran) > 20
    for job in jobs:
        if job not in ran:
            assert ended[job]["no_room"] is True
            assert "open" in ended[job]["reason"]
    assert len(ran) < 40
    assert keeper.running() == os.listdir(keeper.state_dir / RUNNING) == []
    assert not children_of(keeper.pid)
    assert make_keeper(keeper.state_dir).pid == keeper.pid
    assert keeper.script("another1", "exit 0")["status"] == 0


def children_of(pid: int) -> list[int]:
    """Return the children of a process, those too that nobody has waited for."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# What a job does to what is the keeper's

TAKE_AWAY = {
    "the record is a pipe": "rm ../record; mkfifo ../record",
    "the record is a directory": "rm ../record; mkdir -p ../record/in",
    "the record is a link": "ln -sf $VICTIM ../record",
    "the record is a loop": "ln -sf record ../record",
    "the record is gone": "rm ../record",
    "the record may not be used": "chmod 0 ../record",
    "the directory may not be used": "chmod 0 ..",
    "the directory may not be written to": "chmod 500 ..",
    "the directory is gone": "rm -rf $HERE",
    "the directory is a link": "mv $HERE $FOREIGN; ln -s $FOREIGN $HERE",
    "the directory is a file": "rm -rf $HERE; touch $HERE",
    "the directory is a pipe": "rm -rf $HERE; mkfifo $HERE",
    "the directory is a loop": "rm -rf $HERE; ln -s $HERE $HERE",
}
ANYHOW = pytest.mark.parametrize("what", TAKE_AWAY.values(), ids=TAKE_AWAY.keys())


@pytest.fixture
def ordinary(make_keeper: MakeKeeper, tmp_path: Path) -> Keeper:
    """Return a keeper that uses no file whose mode forbids that."""
    (tmp_path / "victim").write_text("precious")
    return make_keeper(tmp_path / "state", within=ORDINARY)


def hostile(keeper: Keeper, what: str) -> str:
    around = keeper.state_dir.parent
    names = f"VICTIM={around / 'victim'}; FOREIGN={around / 'foreign'}; HERE={keeper.state_dir / JOBS / 'job12345'}"
    return f"echo ready; while [ ! -e go ]; do sleep 0.01; done; {names}; {what}; exit 4"


def go(keeper: Keeper) -> None:
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()


def nothing_is_held_up(keeper: Keeper) -> None:
    """Hold that the end of a job is where it belongs, and nowhere else, and that the next job runs."""
    assert (keeper.state_dir.parent / "victim").read_text() == "precious"
    if (foreign := keeper.state_dir.parent / "foreign").exists():
        assert '"end"' not in (foreign / "record").read_text()
    assert keeper.running() == os.listdir(keeper.state_dir / RUNNING) == []
    start, end = read(str(keeper.state_dir), "job12345")
    assert start is not None
    assert end is not None
    assert keeper.script("another1", "exit 0")["status"] == 0


@ANYHOW
def test_a_job_that_takes_things_away_ends(ordinary: Keeper, what: str) -> None:
    ordinary.started("job12345", hostile(ordinary, what))
    go(ordinary)
    assert ordinary.hear("exited", "job12345")["status"] == 4
    nothing_is_held_up(ordinary)


@ANYHOW
def test_its_end_is_recorded_when_no_agent_hears_of_it(make_keeper: MakeKeeper, ordinary: Keeper, what: str) -> None:
    pid = ordinary.started("job12345", hostile(ordinary, what))
    ordinary.close()
    go(ordinary)
    wait_until(lambda: not is_alive(pid), what="the job's end")
    wait_until(lambda: not os.listdir(ordinary.state_dir / RUNNING), what="the record of the job's end")
    nothing_is_held_up(make_keeper(ordinary.state_dir))


@ANYHOW
def test_the_next_keeper_serves_whatever_a_job_has_done(make_keeper: MakeKeeper, ordinary: Keeper, what: str) -> None:
    done = ordinary.state_dir.parent / "done"
    text = hostile(ordinary, what).replace("exit 4", f"touch {done}; while :; do read -t 1 <> <(:); done")
    pid = ordinary.started("job12345", text)
    ordinary.kill()
    go(ordinary)
    wait_until(done.exists, what="the job to have done it")
    second = make_keeper(ordinary.state_dir, within=ORDINARY)
    assert second.running() == ["job12345"]
    second.send(do="kill", job="job12345", reason="enough")
    assert second.hear("exited", "job12345")["reason"] == "enough"
    wait_until(lambda: not is_alive(pid), what="the job's end")
    nothing_is_held_up(second)


def test_too_much_log_is_not_cut_off_from_what_a_link_leads_to(ordinary: Keeper) -> None:
    victim = ordinary.state_dir.parent / "victim"
    text = f"head -c 70000 /dev/zero >> {victim}; ln -sf {victim} ../stdout; head -c 70000 /dev/zero"
    ordinary.script("job12345", text, log_bytes=64 << 10)
    assert victim.stat().st_size > 70000


@pytest.mark.parametrize("name", ["stdout", "stderr", "work"])
def test_nothing_is_opened_for_a_start_that_another_job_has_put_there(keeper: Keeper, name: str) -> None:
    directory = keeper.state_dir / JOBS / "job12345"
    directory.mkdir(parents=True)
    if name != "work":
        os.mkfifo(directory / name)
        end = keeper.run("job12345", "/bin/true")
    else:
        (directory / name).symlink_to("/")
        end = keeper.run("job12345", "/bin/true")
    assert (end["kind"], end["started"]) == ("spawn", None)
    assert end["reason"].startswith("could not be started: ")
    assert keeper.script("another1", "exit 0")["status"] == 0
