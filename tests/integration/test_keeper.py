"""The keeper as a process, with real jobs: starting once, limits, ends, and what happens when it dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import caroni_edge
from caroni_edge.agent.keeper import jobs as keeper_jobs
from caroni_edge.agent.keeper.processes import began
from caroni_edge.agent.keeper.records import JOBS, RUNNING, Start, boot_id, claim, note_process, read
from tests.keepers import InProcess, Keeper, connect, is_alive, keepers_of
from tests.support import wait_until

MakeKeeper = Callable[..., Keeper]


def again(make_keeper: MakeKeeper, keeper: Keeper) -> Keeper:
    """Return the keeper that follows one that has died."""
    return make_keeper(keeper.state_dir)


# What it is


def test_it_is_nobodys_child_and_says_who_it_is(keeper: Keeper) -> None:
    assert keeper.hello["program"] == "1.2.3"
    assert os.getsid(keeper.pid) not in {os.getsid(0), keeper.pid}
    assert f"PPid:\t{os.getpid()}\n" not in Path(f"/proc/{keeper.pid}/status").read_text()
    assert (keeper.state_dir / "keeper.sock").stat().st_mode & 0o777 == 0o600


def test_there_is_one_for_a_directory(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    second = make_keeper(keeper.state_dir)
    assert second.pid == keeper.pid
    assert keepers_of(keeper.state_dir) == [keeper.pid]


def test_it_uses_the_standard_library_alone() -> None:
    program = "import caroni_edge.agent.keeper.__main__, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # What site-packages load at every start of Python (.pth files) is not the keeper's.
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in set(done.stdout.split()) - set(bare.stdout.decode().split())}
    assert loaded - sys.stdlib_module_names == {"caroni_edge"}
    heavy = {"asyncio", "logging", "subprocess", "threading", "dataclasses", "multiprocessing"}
    assert not heavy & loaded


def test_it_goes_on_when_its_files_are_gone(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    original, package = Path(caroni_edge.__file__).parent, tmp_path / "installed" / "caroni_edge"
    shutil.copytree(original / "agent" / "keeper", package / "agent" / "keeper")
    for name in ("__init__.py", "agent/__init__.py"):
        shutil.copy(original / name, package / name)
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    asked = [sys.executable, "-P", "-c", "import caroni_edge; print(caroni_edge.__file__)"]
    assert subprocess.check_output(asked, env=env, text=True).startswith(str(package))
    keeper = make_keeper(tmp_path / "state", env=env)
    shutil.rmtree(package.parent)
    assert keeper.script("first123", "exit 3")["status"] == 3
    assert keeper.run("second12", "/no/such/program")["kind"] == "spawn"
    assert keeper.script("third123", "sleep 600", timeout_s=0.05)["kind"] == "timeout"
    keeper.send_raw(b"no json\n")
    assert "JSONDecodeError" in keeper.hear("unknown")["reason"]
    keeper.started("fourth12", "echo ready; sleep 600")
    keeper.send(do="kill", job="fourth12", reason="not wanted")
    assert keeper.hear("exited", "fourth12")["reason"] == "not wanted"


def test_a_state_directory_may_be_deep(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper(tmp_path / ("deep" * 30) / ("er" * 60))
    assert len(str(keeper.state_dir)) > 200
    assert keeper.script("job12345", "exit 0")["status"] == 0


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"do": "dance"}',
        b'{"do": "start"}',
        b'{"do": "start", "job": "../../etc", "argv": ["/bin/true"]}',
        b'{"do": "start", "job": "job12345", "argv": []}',
        b'{"do": "kill", "job": "job12345"}',
        b"\xff\xfe",
    ],
)
def test_a_request_that_makes_no_sense_ends_nothing(keeper: Keeper, line: bytes) -> None:
    keeper.send_raw(line + b"\n")
    keeper.hear("unknown")
    assert keeper.script("other123", "exit 0")["status"] == 0


def test_it_answers_several_agents(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    second = make_keeper(keeper.state_dir)
    assert keeper.script("job12345", "exit 4")["status"] == 4
    assert second.hear("exited", "job12345")["status"] == 4


# A job


def test_a_job_gets_what_was_asked_for_and_no_more(keeper: Keeper) -> None:
    text = """
        env -0 > ../environment; readlink /proc/self/fd/0 > ../stdin; ps -o sid=,pgid= -p $$ > ../ids
        pwd > ../cwd; ls -A > ../listing; ls /proc/self/fd > ../files; umask > ../umask
        echo out; echo err >&2; exit 7"""
    env = {"A": "größer", "B": 'two\nlines and "quotes" $(x)', "C": ""}
    end = keeper.script("job12345", text, env=env)
    assert (end["kind"], end["status"], end["reason"]) == ("exited", 7, "")
    assert (keeper.stdout("job12345"), keeper.file("job12345", "stderr")) == ("out\n", "err\n")
    seen = dict(entry.split("=", 1) for entry in keeper.file("job12345", "environment").rstrip("\0").split("\0"))
    of_bash = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert {name: value for name, value in seen.items() if name not in of_bash} == {
        **env,
        "PATH": os.environ["PATH"],
        "CARONI_OUTPUTS": keeper.mark("job12345"),
    }
    pid = str((read(str(keeper.state_dir), "job12345").start or Start("", "", 0)).pid)
    assert keeper.file("job12345", "ids").split() == [pid, pid]
    assert keeper.file("job12345", "stdin") == "/dev/null\n"
    assert keeper.file("job12345", "cwd") == f"{keeper.state_dir}/jobs/job12345/work\n"
    assert keeper.file("job12345", "listing") == ""
    assert keeper.file("job12345", "files").split() == ["0", "1", "2", "3"]  # 3 is the directory that `ls` reads
    before = os.umask(0)
    os.umask(before)
    assert int(keeper.file("job12345", "umask"), 8) == before


def test_no_signal_is_ignored_or_blocked_in_a_job(keeper: Keeper) -> None:
    keeper.script("job12345", "cat /proc/self/status > ../status")
    facts = dict(line.split(":\t", 1) for line in keeper.file("job12345", "status").splitlines() if ":\t" in line)
    of_glibc = 1 << (32 - 1) | 1 << (
        33 - 1
    )  # which nobody can reset, should they come from where the tests were started
    assert int(facts["SigIgn"], 16) & ~of_glibc == int(facts["SigBlk"], 16) == 0


@pytest.mark.parametrize(
    ("text", "status"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", -9), ("kill -15 $$", -15)]
)
def test_how_it_ended_is_recorded_and_told(keeper: Keeper, text: str, status: int) -> None:
    end = keeper.script("job12345", text)
    recorded = keeper.exit_of("job12345")
    assert recorded is not None
    assert {"event": "exited", **recorded._asdict()} == end
    assert (recorded.kind, recorded.status, recorded.boot) == ("exited", status, boot_id())
    assert recorded.started is not None
    assert recorded.started <= recorded.date
    assert keeper.running() == []
    assert os.listdir(keeper.state_dir / RUNNING) == []


def test_what_is_running_is_recorded_and_told(keeper: Keeper) -> None:
    pid = keeper.started("job12345", "echo ready; sleep 600", timeout_s=500, about={"any": ["thing"]})
    assert keeper.running() == ["job12345"]
    start = read(str(keeper.state_dir), "job12345").start
    assert start is not None
    assert (start.pid, start.ticks, start.boot) == (pid, began(pid), boot_id())
    assert (start.timeout_s, start.about) == (500, {"any": ["thing"]})
    assert os.listdir(keeper.state_dir / RUNNING) == ["job12345"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/no/such/program"], "there is no /no/such/program, or no interpreter that it names"),
        (["/etc/passwd"], "/etc/passwd may not be executed"),
        (["/bin/true", "x" * 3_000_000], "its inputs and its environment are larger than the kernel passes on"),
        (["/bin/true", "a\0b"], "embedded null byte"),
        (["{state_dir}/script"], "there is no {state_dir}/script, or no interpreter that it names"),
        (["{state_dir}/data"], "{state_dir}/data is no program"),
    ],
)
def test_a_program_that_cannot_be_started(keeper: Keeper, argv: list[str], said: str) -> None:
    for name, text in (("script", "#!/no/such/interpreter\n"), ("data", "data")):
        (keeper.state_dir / name).write_text(text)
        (keeper.state_dir / name).chmod(0o755)
    end = keeper.run("job12345", *(word.format(state_dir=keeper.state_dir) for word in argv))
    assert (end["kind"], end["status"], end["started"]) == ("spawn", None, None)
    assert end["reason"] == f"could not be started: {said}".format(state_dir=keeper.state_dir)
    assert keeper.script("another1", "exit 0")["status"] == 0


# Once


def test_a_job_is_never_started_twice(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    text = "echo ready; echo run >> ../runs; while [ ! -e go ]; do sleep 0.01; done"
    keeper.started("job12345", text)
    keeper.start("job12345", "/bin/bash", "-c", text)
    assert keeper.hear("refused", "job12345")["running"] is True
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    keeper.hear("exited", "job12345")
    keeper.start("job12345", "/bin/bash", "-c", text)
    assert keeper.hear("refused", "job12345")["running"] is False
    keeper.kill()
    second = again(make_keeper, keeper)
    second.start("job12345", "/bin/bash", "-c", text)
    assert second.hear("refused", "job12345")["running"] is False
    assert second.file("job12345", "runs") == "run\n"


def test_a_start_record_that_was_cut_off_stops_a_start(keeper: Keeper) -> None:
    directory = keeper.state_dir / JOBS / "job12345"
    directory.mkdir(parents=True)
    (directory / "record").touch()
    keeper.start("job12345", "/bin/true")
    assert keeper.hear("refused", "job12345")["running"] is False
    start = read(str(keeper.state_dir), "job12345").start
    assert start is not None
    assert (start.boot, start.pid) == ("", 0)


def test_a_start_that_cannot_be_recorded_does_not_happen(keeper: Keeper) -> None:
    keeper.send(do="start", job="job12345", argv=["/bin/true"], env={})
    said = keeper.hear("unstarted", "job12345")["reason"]
    assert said == "could not be started: No such file or directory"
    assert keeper.running() == []


def test_an_end_that_nobody_wants_is_forgotten(keeper: Keeper) -> None:
    keeper.started("job12345", "echo ready; while [ ! -e ../../go ]; do sleep 0.01; done")
    shutil.rmtree(keeper.state_dir / JOBS / "job12345")
    (keeper.state_dir / JOBS / "go").touch()
    assert keeper.hear("exited", "job12345")["kind"] == "exited"
    assert keeper.running() == os.listdir(keeper.state_dir / RUNNING) == []


def test_an_end_is_synced_when_no_agent_hears_of_it(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    heard = keeper.script("heard123", "exit 0")
    assert heard["is_synced"] is False
    keeper.started("unheard1", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    keeper.close()
    (keeper.state_dir / JOBS / "unheard1" / "work" / "go").touch()
    end = wait_until(lambda: keeper.exit_of("unheard1"))
    assert end is not None
    assert (end.status, end.is_synced) == (0, True)


def test_an_unsynced_end_of_before_a_boot_counts_for_nothing(keeper: Keeper) -> None:
    keeper.script("job12345", "exit 0")
    path = keeper.state_dir / JOBS / "job12345" / "record"
    *before, line = path.read_text().splitlines(keepends=True)
    assert keeper.exit_of("job12345") is not None
    path.write_text("".join(before) + line.replace(boot_id(), "another"))
    assert keeper.exit_of("job12345") is None
    path.write_text("".join(before) + line.replace(boot_id(), "another").replace("false", "true"))
    assert keeper.exit_of("job12345") is not None
    path.write_text("".join(before) + line[:-10])
    assert keeper.exit_of("job12345") is None
    assert read(str(keeper.state_dir), "job12345").start is not None


# Ending


FAMILY = """
    (sleep 600 & echo $! > ../grandchild; wait) &
    echo $! > ../child
    while [ ! -s ../grandchild ]; do sleep 0.01; done
    echo ready
"""


def family(keeper: Keeper, job: str) -> list[int]:
    return [int(keeper.file(job, name)) for name in ("child", "grandchild")]


def test_nothing_of_a_job_is_left_when_its_leader_has_ended(keeper: Keeper) -> None:
    keeper.script("job12345", FAMILY)
    wait_until(lambda: not any(map(is_alive, family(keeper, "job12345"))), what="the family to end")


def test_a_kill_reaches_all_of_a_job(keeper: Keeper) -> None:
    leader = keeper.started("job12345", f"{FAMILY} wait")
    keeper.send(do="kill", job="job12345", reason="killed by its manager")
    end = keeper.hear("exited", "job12345")
    assert (end["kind"], end["status"], end["reason"]) == ("killed", -15, "killed by its manager")
    wait_until(lambda: not any(map(is_alive, [leader, *family(keeper, "job12345")])), what="the family to end")


def test_a_kill_of_what_does_not_run_is_answered(keeper: Keeper) -> None:
    keeper.send(do="kill", job="unknown1", reason="x")
    assert keeper.hear("refused", "unknown1")["running"] is False


def test_a_job_may_clean_up_when_it_is_killed(keeper: Keeper) -> None:
    keeper.started("job12345", "trap 'echo clean > ../cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    keeper.send(do="kill", job="job12345", reason="enough")
    end = keeper.hear("exited", "job12345")
    assert (end["kind"], end["status"], end["reason"]) == ("killed", 0, "enough")
    assert keeper.file("job12345", "cleaned") == "clean\n"


def test_a_deadline_ends_a_job(keeper: Keeper) -> None:
    end = keeper.script("job12345", FAMILY + "wait", timeout_s=0.5)
    assert (end["kind"], end["status"], end["reason"]) == ("timeout", -15, "ended after its timeout of 0.5s")
    begun = [int(pid) for name in ("child", "grandchild") if (pid := keeper.file("job12345", name))]
    wait_until(lambda: not any(map(is_alive, begun)), what="what had begun by then to end")


# The limits are set from outside, so a very busy host may let a job see a moment without them.
ALLOCATE = """
import resource, sys
while sys.argv[1:] and resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
    pass
try:
    x = bytearray(400 << 20)
except MemoryError:
    sys.exit(66)
"""


def test_memory_is_limited_in_all_processes_of_a_job(keeper: Keeper) -> None:
    limits = {"memory_bytes": 300 << 20, "timeout_s": 100}
    assert keeper.run("alone123", sys.executable, "-c", ALLOCATE)["status"] == 0
    assert keeper.run("limited1", sys.executable, "-c", ALLOCATE, "wait", **limits)["status"] == 66
    text = f"{sys.executable} -c '{ALLOCATE}' wait; exit $?"
    assert keeper.script("child123", text, **limits)["status"] == 66


def test_a_job_may_be_polite(keeper: Keeper) -> None:
    end = keeper.script("job12345", "until [ $(nice) = 7 ]; do :; done", nice=7, timeout_s=100)
    assert end["kind"] == "exited"


def test_a_log_does_not_grow_for_ever(keeper: Keeper) -> None:
    write = "while :; do printf '%1000d\\n' 0; done"
    end = keeper.script("stdout12", write, log_bytes=64 << 10)
    said = "ended because its standard output had become larger than 64K"
    assert (end["kind"], end["reason"]) == ("log", said)
    assert len(keeper.stdout("stdout12")) == 64 << 10
    end = keeper.script("stderr12", f"{write} >&2", log_bytes=64 << 10)
    assert end["reason"] == said.replace("output", "error")
    quick = keeper.script("quick123", "head -c 70000 /dev/zero", log_bytes=64 << 10)
    assert (quick["kind"], quick["reason"]) == ("log", said)
    assert keeper.script("enough12", "head -c 65536 /dev/zero", log_bytes=64 << 10)["kind"] == "exited"


class Clock:
    """The time for a keeper's jobs; a test lets it pass."""

    passed_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.passed_s

    def time(self) -> float:
        return time.time()


def test_who_does_not_end_at_sigterm_ends_at_sigkill(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_jobs, "GRACE_S", 1000.0)
    monkeypatch.setattr(keeper_jobs, "time", clock := Clock())
    ready, said = Path("jobs/job12345/work/ready"), Path("jobs/job12345/said")

    def let_time_pass() -> None:
        if ready.exists():
            clock.passed_s = 1000.0
        if said.exists() and said.read_text() == "no\n":
            clock.passed_s = 2000.0

    # Waiting is done without another process, so that the leader alone decides when it is over.
    text = "trap 'echo no > ../said' TERM; touch ready; while :; do read -t 0.01 <> <(:); done"
    end = in_process.run("job12345", text, let_time_pass, timeout_s=1000.0)
    assert (end["kind"], end["status"], end["reason"]) == ("timeout", -9, "ended after its timeout of 1000s")
    assert said.read_text() == "no\n"


# When it dies


def test_a_job_outlives_its_keeper_and_the_next_one_watches_it(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    pid = keeper.started("job12345", FAMILY + "while [ ! -e go ]; do sleep 0.01; done")
    keeper.kill()
    assert is_alive(pid)
    second = again(make_keeper, keeper)
    assert second.running() == ["job12345"]
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    end = second.hear("exited", "job12345")
    said = "its keeper died, so its exit status is not known"
    assert (end["kind"], end["status"], end["reason"]) == ("unseen", None, said)
    wait_until(lambda: not any(map(is_alive, family(second, "job12345"))), what="the family to end")


def test_a_job_that_ended_without_a_keeper_ended_unseen(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    pid = keeper.started("job12345", FAMILY + "while [ ! -e go ]; do sleep 0.01; done")
    keeper.kill()
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    wait_until(lambda: not is_alive(pid), what="the job's end")
    second = again(make_keeper, keeper)
    end = wait_until(lambda: second.exit_of("job12345"))
    assert end is not None
    assert (end.kind, end.status) == ("unseen", None)
    assert end.reason == "it ended unseen: the keeper that watched it had died"
    wait_until(lambda: not any(map(is_alive, family(second, "job12345"))), what="the family to end")
    assert second.running() == []


def test_the_next_keeper_keeps_the_deadline(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    keeper.started("job12345", "echo ready; sleep 600", timeout_s=500.0)
    keeper.kill()
    record = keeper.state_dir / JOBS / "job12345" / "record"
    begun, process = map(json.loads, record.read_text().splitlines())
    begun["start"]["deadline"] -= 500.0
    record.write_text(f"{json.dumps(begun)}\n{json.dumps(process)}\n")
    second = again(make_keeper, keeper)
    end = wait_until(lambda: second.exit_of("job12345"), what="the record of the end")
    assert end is not None
    assert (end.kind, end.status, end.reason) == ("timeout", None, "ended after its timeout of 500s")


def test_the_next_keeper_can_kill(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    keeper.started("job12345", FAMILY + "wait")
    keeper.kill()
    second = again(make_keeper, keeper)
    second.send(do="kill", job="job12345", reason="enough")
    assert second.hear("exited", "job12345")["reason"] == "enough"
    wait_until(lambda: not any(map(is_alive, family(second, "job12345"))), what="the family to end")


def test_a_job_whose_process_was_not_recorded_is_found(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    pid = keeper.started("job12345", "echo ready; sleep 600")
    keeper.kill()
    record = keeper.state_dir / JOBS / "job12345" / "record"
    record.write_text(record.read_text().splitlines()[0] + "\n")
    second = again(make_keeper, keeper)
    assert second.running() == ["job12345"]
    second.send(do="kill", job="job12345", reason="enough")
    assert second.hear("exited", "job12345")["kind"] == "killed"
    assert not is_alive(pid)


def test_a_process_that_has_got_the_number_of_a_job_is_left_alone(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    state_dir = tmp_path / "state"
    for directory in (RUNNING, f"{JOBS}/job12345"):
        (state_dir / directory).mkdir(parents=True)
    record = claim(str(state_dir), Start("job12345", boot_id(), 0.0, deadline=0.0, timeout_s=1.0))
    note_process(record, bystander.pid, began(bystander.pid) - 1)
    os.close(record)
    try:
        keeper = make_keeper(state_dir)
        assert keeper.running() == []
        assert (keeper.exit_of("job12345") or pytest.fail("no record")).kind == "unseen"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_job_of_before_a_boot_ended_with_it(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    for directory in (RUNNING, f"{JOBS}/job12345"):
        (state_dir / directory).mkdir(parents=True)
    record = claim(str(state_dir), Start("job12345", "another boot", 0.0))
    note_process(record, os.getpid(), began(os.getpid()))
    os.close(record)
    keeper = make_keeper(state_dir)
    assert keeper.running() == []
    end = keeper.exit_of("job12345")
    assert end is not None
    assert (end.kind, end.reason) == ("unseen", "it ended unseen: the host was restarted while it ran")


# Its own end


def test_it_stops_when_nothing_runs(keeper: Keeper) -> None:
    keeper.started("job12345", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    keeper.send(do="stop")
    assert keeper.running() == ["job12345"]
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    assert keeper.hear("exited", "job12345")["status"] == 0
    keeper.wait()
    assert not (keeper.state_dir / "keeper.sock").exists()


def test_sigterm_is_a_stop(keeper: Keeper) -> None:
    pid = keeper.started("job12345", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    os.kill(keeper.pid, signal.SIGTERM)
    assert keeper.running() == ["job12345"]
    assert is_alive(pid)
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    keeper.wait()
    assert (keeper.exit_of("job12345") or pytest.fail("no record")).status == 0


def test_it_ends_without_jobs_and_agents(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper(tmp_path / "state", idle_s=0.5)
    keeper.started("job12345", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    keeper.close()
    second = make_keeper(keeper.state_dir, idle_s=300)
    assert second.pid == keeper.pid
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    second.hear("exited", "job12345")
    assert keeper.is_alive
    second.close()
    keeper.wait()
    with pytest.raises(FileNotFoundError):
        connect(keeper.state_dir)
    third = make_keeper(keeper.state_dir)
    assert third.pid != keeper.pid
    assert third.script("another1", "exit 0")["status"] == 0


def test_it_ends_where_its_directory_was_deleted(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    """The agent was removed with all that it had, while a job ran: it can be recorded nowhere how the job ends."""
    keeper = make_keeper(tmp_path / "state", idle_s=0.1)
    pid = keeper.started("job12345", "echo ready; while :; do sleep 0.01; done")
    keeper.close()
    shutil.rmtree(keeper.state_dir)
    os.kill(pid, signal.SIGKILL)
    keeper.wait()
    assert not keeper.is_alive


def test_a_directory_that_cannot_be_served(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    (state_dir / "keeper.lock").mkdir(parents=True)
    with pytest.raises(subprocess.CalledProcessError):
        Keeper(state_dir)
    assert f"cannot serve {state_dir}: Is a directory" in (state_dir / "keeper.log").read_text()
