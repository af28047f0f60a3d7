"""What jobs write, on its way through the keeper: all of it, in order, and never more than it may be."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import job as keeper_job
from caroni_edge.agent.keeper import logs as keeper_logs
from caroni_edge.agent.keeper.records import JOBS
from tests.keepers import InProcess, Keeper
from tests.support import wait_until

MakeKeeper = Callable[..., Keeper]

LIMIT_BYTES = 64 << 10
FLOOD = "while :; do printf '%1000d\\n' 0; done"
UNTIL_GONE = "echo >&2; until rm ../stderr 2> /dev/null; do :; done"
"""Removes the file once it is there: it is made for the first thing that is written."""
WAYS_ROUND = {
    "by nothing": f"{FLOOD} >&2",
    "the file is removed": f"{UNTIL_GONE}; {FLOOD} >&2",
    "the file is another one": f"{UNTIL_GONE}; echo > ../stderr; {FLOOD} >&2",
    "the file is cut again and again": "while :; do printf '%1000d\\n' 0 >&2; : > ../stderr; done",
    "opened anew": f"{FLOOD} > /proc/self/fd/2",
    "opened anew by its other name": f"{FLOOD} > /dev/stderr",
    "opened anew for both": f"exec 2<> /proc/self/fd/2; {FLOOD} >&2",
    "from another session": f'setsid bash -c "{FLOOD}" >&2; sleep 600',
    "deaf to SIGTERM": f"trap '' TERM; {FLOOD} >&2",
    "through another file": f"exec 2>> ../stderr; {FLOOD} >&2",
}


@pytest.mark.parametrize("text", WAYS_ROUND.values(), ids=WAYS_ROUND)
def test_no_job_writes_more_than_it_may(keeper: Keeper, text: str) -> None:
    end = keeper.script("job12345", text, log_bytes=LIMIT_BYTES)
    assert (end["kind"], end["reason"]) == ("log", "ended because its standard error had become larger than 64K")
    path = keeper.state_dir / JOBS / "job12345" / "stderr"
    assert not path.exists() or path.stat().st_size <= LIMIT_BYTES


def test_a_log_is_bounded_while_it_is_written(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def size(file: int, data: bytes) -> int:
        written = os.write(file, data)
        sizes.append(os.fstat(file).st_size)
        return written

    monkeypatch.setattr(keeper_logs, "_write", size)
    assert in_process.run("job12345", "head -c 1000000 /dev/zero", log_bytes=LIMIT_BYTES)["kind"] == "log"
    assert max(sizes) == LIMIT_BYTES


def test_all_that_a_job_writes_is_kept_in_its_order(keeper: Keeper) -> None:
    assert keeper.script("job12345", "seq 1000000; seq 3 >&2")["status"] == 0
    assert keeper.stdout("job12345") == "".join(f"{number}\n" for number in range(1, 1000001))
    assert keeper.file("job12345", "stderr") == "1\n2\n3\n"


def test_what_is_written_little_by_little_is_there_while_the_job_runs(keeper: Keeper) -> None:
    keeper.started("job12345", "echo ready; for i in 1 2 3; do sleep 0.05; echo $i; done; sleep 600")
    wait_until(lambda: keeper.stdout("job12345") == "ready\n1\n2\n3\n", what="the log")


def test_no_file_is_made_for_what_is_never_written(keeper: Keeper) -> None:
    keeper.script("job12345", "echo x >&2")
    directory = keeper.state_dir / JOBS / "job12345"
    assert (directory / "stderr").read_text() == "x\n"
    assert not (directory / "stdout").exists()


def test_what_was_in_a_file_before_the_start_is_no_part_of_the_log(keeper: Keeper) -> None:
    directory = keeper.state_dir / JOBS / "job12345"
    directory.mkdir(parents=True)
    (directory / "stdout").write_text("of another job")
    keeper.script("job12345", "exit 0")
    assert keeper.stdout("job12345") == ""


def test_both_streams_may_be_one(keeper: Keeper) -> None:
    keeper.script("job12345", "exec 2>&1; for i in 1 2 3; do echo out$i; echo err$i >&2; done")
    assert keeper.stdout("job12345") == "out1\nerr1\nout2\nerr2\nout3\nerr3\n"


def test_who_closes_what_he_writes_to_runs_on(keeper: Keeper) -> None:
    end = keeper.script("job12345", "exec >&- 2>&-; sleep 0.1; exit 3")
    assert (end["kind"], end["status"]) == ("exited", 3)


def test_the_next_keeper_reads_on(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    text = "echo ready; until [ -e go ]; do sleep 0.01; done; seq 100000; seq 3 >&2; touch done; sleep 600"
    keeper.started("job12345", text)
    work = keeper.state_dir / JOBS / "job12345" / "work"
    keeper.kill()
    (work / "go").touch()
    second = make_keeper(keeper.state_dir)
    wait_until((work / "done").exists, what="all to be written")
    second.send(do="kill", job="job12345", reason="enough")
    second.hear("exited", "job12345")
    assert second.stdout("job12345") == "ready\n" + "".join(f"{number}\n" for number in range(1, 100001))
    assert second.file("job12345", "stderr") == "1\n2\n3\n"


def test_the_next_keeper_keeps_the_bound(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    keeper.started("job12345", f"echo ready; until [ -e go ]; do sleep 0.01; done; {FLOOD}", log_bytes=LIMIT_BYTES)
    keeper.kill()
    second = make_keeper(keeper.state_dir)
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    assert second.hear("exited", "job12345")["kind"] == "log"
    assert len(second.stdout("job12345")) == LIMIT_BYTES


@pytest.mark.parametrize(
    "what", ["exec > /dev/null 2>&1", "exec > /dev/tty0 2>&1", "exec >&- 2>&-", "mkfifo p; exec > >(cat > /dev/null)"]
)
def test_the_next_keeper_opens_nothing_but_pipes(make_keeper: MakeKeeper, keeper: Keeper, what: str) -> None:
    keeper.started("job12345", f"echo ready; {what}; until [ -e go ]; do sleep 0.01; done; echo x; exit 0")
    keeper.kill()
    second = make_keeper(keeper.state_dir)
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    assert second.hear("exited", "job12345")["kind"] == "unseen"


def test_what_finds_no_space_is_said(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int, __: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keeper_logs, "_write", full)
    end = in_process.run("job12345", "seq 100000 >&2; exit 0")
    assert (end["status"], end["notes"]) == (0, "its standard error is not whole: No space left on device")


def test_what_is_held_open_beyond_the_end_holds_up_nothing(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Somebody who is no part of the job has its standard output open, and it is not waited for."""
    monkeypatch.setattr(keeper_job, "ENDING_S", 0.05)
    opened: list[int] = []
    find = keeper_logs.Logs.add

    def hold(logs: keeper_logs.Logs, log: keeper_logs.Log) -> None:
        opened.extend(os.open(f"/proc/self/fd/{stream.pipe}", os.O_WRONLY) for stream in log.streams)
        find(logs, log)

    monkeypatch.setattr(keeper_logs.Logs, "add", hold)
    assert in_process.run("job12345", "echo x")["status"] == 0
    assert (tmp_path / JOBS / "job12345" / "stdout").read_text() == "x\n"
    for file in opened:
        with pytest.raises(BrokenPipeError):
            os.write(file, b"nobody reads this")
        os.close(file)


def test_a_job_is_not_ended_by_the_death_of_its_keeper(keeper: Keeper) -> None:
    text = "echo ready; until [ -e go ]; do sleep 0.01; done; echo more; touch done; sleep 600"
    pid = keeper.started("job12345", text)
    keeper.kill()
    work = keeper.state_dir / JOBS / "job12345" / "work"
    (work / "go").touch()
    wait_until((work / "done").exists, what="the job to go on")
    os.kill(pid, signal.SIGKILL)
