"""The runner with its keeper and real jobs: inputs and outputs, ends, logs, restarts of both sides."""

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.keeper.records import RUNNING, boot_id
from caroni_edge.agent.processes.homes import keeper_environment
from caroni_edge.agent.processes.outcome import Completed, NeverBegan
from caroni_edge.agent.processes.port import JobEnded, JobOrder, TakenOver
from caroni_edge.values.carried import file_value
from tests.keepers import Keeper, is_alive, keepers_of
from tests.runners import ENVIRON, TIMEOUT_S, UPPER, WAIT, Agent, MakeAgent, again, failure_of, outputs_of, reason_of
from tests.support import wait_until

# In and out


@pytest.mark.parametrize(
    "text",
    [
        "caronirocks",
        "",
        "$(touch /tmp/never) `id` ${HOME} $HOME",
        "it's \"quoted\" \\ and 'quoted'",
        "two\nlines\n",
        " größer → 🎉 \t",
        "-n",
        "a=b<<c",
        "'; rm -rf /; '",
    ],
)
def test_a_value_goes_through_a_script_as_it_is(agent: Agent, text: str) -> None:
    ended = agent.run("job12345", UPPER, {"message": text})
    assert outputs_of(ended) == {"jobout": text}
    assert isinstance(ended.outcome, Completed)
    assert ended.outcome.started is not None
    assert ended.outcome.started <= ended.date


SEE = """\
name: see
outputs: {environment: "string[]", argv: "string[]", cwd: string, listing: "string[]", inputs: Any}
interpreter: [PYTHON, -I]
environment: {MODE: "my mode", TZ: UTC}
script: |
  import json, os, sys
  with open(os.environ["CARONI_INPUTS"], encoding="utf-8") as file:
      inputs = json.load(file)
  environment = [f"{name}={value}" for name, value in os.environ.items()]
  seen = {"environment": environment, "argv": sys.argv, "cwd": os.getcwd(), "listing": os.listdir(), "inputs": inputs}
  print(json.dumps(seen))
"""


def see(agent: Agent, inputs: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the environment of a job, and all else that it saw."""
    ended = agent.run("job12345", SEE.replace("PYTHON", sys.executable), inputs)
    seen = outputs_of(ended)
    return dict(entry.split("=", 1) for entry in seen["environment"]), seen


def test_a_job_sees_what_it_is_promised(agent: Agent) -> None:
    environment, seen = see(agent, {"text": "two\nlines", "count": 3, "many": ["ä"], "not": None, "is": True})
    directory = str(agent.directory("job12345"))
    environment.pop("LC_CTYPE", None)  # Python's own
    assert environment == {
        "PATH": os.environ["PATH"],
        "HOME": "/nowhere",
        "TZ": "UTC",
        "MODE": "my mode",
        "CARONI_INPUTS": f"{directory}/inputs.json",
        "CARONI_OUTPUTS": f"{directory}/outputs",
        "CARONI_WORKFLOW": "w1",
        "CARONI_STEP": "outer/upper",
        "CARONI_JOB": "job12345",
        "CARONI_ATTEMPT": "3",
        "CARONI_MANAGER": "m1",
        "CARONI_AGENT": "a1",
        "CARONI_ENV_text": "two\nlines",
        "CARONI_ENV_count": "3",
        "CARONI_ENV_many": '["ä"]',
        "CARONI_ENV_is": "true",
    }
    assert seen["inputs"] == {"text": "two\nlines", "count": 3, "many": ["ä"], "not": None, "is": True}
    assert (seen["cwd"], seen["listing"]) == (f"{directory}/work", [])
    [script] = (agent.state_dir / "scripts").iterdir()
    assert seen["argv"] == [str(script)]


def test_a_variable_that_is_no_utf8_goes_to_a_job_as_it_is(
    make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRON, b"HOME", b"/home/caf\xe9")
    agent = make_agent()
    agent.run("job12345", 'script: printf %s "$HOME" > ../home\n')
    assert (agent.directory("job12345") / "home").read_bytes() == b"/home/caf\xe9"


def test_each_version_of_a_script_is_run_as_it_is_written(make_agent: MakeAgent, agent: Agent) -> None:
    text = "outputs: {n: int}\nscript: echo n=1 >> $CARONI_OUTPUTS\n"
    assert outputs_of(agent.run("first123", text)) == {"n": 1}
    assert outputs_of(agent.run("second12", text.replace("n=1", "n=2"))) == {"n": 2}
    agent = again(make_agent, agent)
    for script in (agent.state_dir / "scripts").iterdir():
        script.write_text("")  # as a power cut may leave it
    assert outputs_of(agent.run("third123", text)) == {"n": 1}


def test_what_no_variable_can_hold_is_unset_and_in_the_file(agent: Agent) -> None:
    name_bytes = len("CARONI_ENV_fits=\0")
    inputs = {"nul": "a\0b", "fits": "x" * (128 * 1024 - name_bytes), "large": "x" * (128 * 1024)}
    ended = agent.run("job12345", "command: [/bin/sh, -c, 'env -0 > ../environment']\n", inputs)
    assert outputs_of(ended) == {}
    environment = (agent.directory("job12345") / "environment").read_text().split("\0")
    assert {entry.partition("=")[0] for entry in environment if entry.startswith("CARONI_ENV_")} == {"CARONI_ENV_fits"}
    assert json.loads((agent.directory("job12345") / "inputs.json").read_text()) == inputs
    where = "it is whole in the file $CARONI_INPUTS"
    assert agent.log("job12345").splitlines() == [
        f"caroni-edge: CARONI_ENV_nul is unset: its value holds a NUL character, which no variable can; {where}",
        f"caroni-edge: CARONI_ENV_large is unset: its value is longer than a variable can be (128 KiB); {where}",
    ]


def test_the_log_says_what_is_unset_also_after_a_restart_of_the_agent(make_agent: MakeAgent, agent: Agent) -> None:
    agent.started("job12345", WAIT + "  exit 3\n", {"text": "\0"})
    agent = again(make_agent, agent, "job12345")
    agent.go("job12345")
    assert failure_of(agent.end("job12345")).exit_code == 3
    assert agent.log("job12345").startswith("caroni-edge: CARONI_ENV_text is unset")


GIVES_FILES = """\
inputs: {image: File, more: "File[]", none: File?}
outputs: {copy: File, back: "File[]", path: string, seen: Any}
script: |
  cp "$CARONI_ENV_image" copy.bin
  test -z "$CARONI_ENV_none"
  printf '{"copy": "copy.bin", "back": ["copy.bin"], "path": "%s", "seen": %s}' \\
    "$CARONI_ENV_image" "$(cat "$CARONI_INPUTS")" > "$CARONI_OUTPUTS"
"""


def test_files_go_in_by_their_paths_and_come_out_by_theirs(agent: Agent) -> None:
    image = {**file_value("a.fits", b"\x00\xff"), "secondaryFiles": [file_value("a.idx", b"1")], "format": "fits"}
    more = [{"class": "File", "contents": "x\n"}, {"class": "File", "contents": "y\n", "basename": "y.tar.gz"}]
    outputs = outputs_of(agent.run("job12345", GIVES_FILES, {"image": image, "more": more, "none": None}))
    files = f"{agent.directory('job12345')}/files"
    assert outputs["path"] == f"{files}/0/a.fits"
    assert (outputs["copy"], outputs["back"]) == (file_value("copy.bin", b"\x00\xff"), [outputs["copy"]])
    assert outputs["seen"]["image"] == {
        "class": "File",
        "path": f"{files}/0/a.fits",
        "location": f"file://{files}/0/a.fits",
        "basename": "a.fits",
        "dirname": f"{files}/0",
        "nameroot": "a",
        "nameext": ".fits",
        "size": 2,
        "format": "fits",
        "secondaryFiles": [
            {
                "class": "File",
                "path": f"{files}/0/a.idx",
                "location": f"file://{files}/0/a.idx",
                "basename": "a.idx",
                "dirname": f"{files}/0",
                "nameroot": "a",
                "nameext": ".idx",
                "size": 1,
            }
        ],
    }
    found = [(each["path"], each["nameroot"], Path(each["path"]).read_text()) for each in outputs["seen"]["more"]]
    assert found == [(f"{files}/1/file", "file", "x\n"), (f"{files}/2/y.tar.gz", "y.tar", "y\n")]


def test_a_job_with_files_is_removed(agent: Agent) -> None:
    ended = agent.run("job12345", GIVES_FILES, {"image": file_value("a", b"1"), "more": []})
    assert outputs_of(ended)["back"] == [file_value("copy.bin", b"1")]
    agent.runner.remove("job12345")
    agent.all_is_deleted()


def test_a_job_whose_file_is_not_there_has_failed(agent: Agent) -> None:
    ended = agent.run("job12345", "outputs: {thumb: File}\nscript: echo thumb=thumb.png >> $CARONI_OUTPUTS\n")
    assert reason_of(ended) == 'output thumb: there is no file "thumb.png" in the working directory of the job'


def test_a_file_that_the_agent_missed_is_taken_when_it_is_back(make_agent: MakeAgent, agent: Agent) -> None:
    agent.started("job12345", WAIT.replace("string", "File").replace("jobout=done", "jobout=ready"))
    agent = again(make_agent, agent, "job12345")
    agent.go("job12345")
    assert outputs_of(agent.end("job12345")) == {"jobout": file_value("ready", b"")}


def test_a_keeper_gets_no_secrets() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "CARONI_EDGE_BROKER__PASSWORD": "x", "LD_LIBRARY_PATH": "/tmp/_MEI"}
    assert keeper_environment(environ) == {"PATH": "/bin", "LC_ALL": "C"}


def test_a_command_is_found_in_the_path_of_its_job_type(agent: Agent, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "{\\"jobout\\": \\"$1\\"}"\n')
    tool.chmod(0o755)
    text = f"outputs: {{jobout: string}}\nenvironment: {{PATH: {tmp_path}}}\ncommand: [tool, given]\n"
    assert outputs_of(agent.run("job12345", text)) == {"jobout": "given"}


# Ends


@pytest.mark.parametrize(
    ("text", "exit_code", "reason", "stderr"),
    [
        ("script: |\n  echo broken >&2\n  exit 3\n", 3, "exit status 3", "broken\n"),
        ("script: |\n  false\n  echo never >&2\n", 1, "exit status 1", ""),
        ("script: kill -9 $$\n", -9, "killed by signal 9 (SIGKILL)", ""),
        ("script: kill -35 $$\n", -35, "killed by signal 35", ""),
        (
            "outputs: {jobout: string}\nscript: 'true'\n",
            0,
            "output jobout is missing: nothing was written to $CARONI_OUTPUTS or to standard output",
            "",
        ),
        ("outputs: {n: int}\nscript: echo n=x >> $CARONI_OUTPUTS\n", 0, 'output n: expected int as JSON, got "x"', ""),
        ("script: sleep 600\nlimits: {timeout: 200ms}\n", -15, "ended after its timeout of 0.2s", ""),
        (
            "script: printf '%70000d' 0; sleep 600\nlimits: {log: 64K}\n",
            -15,
            "ended because its standard output had become larger than 64K",
            "",
        ),
    ],
)
def test_a_failure_says_why(agent: Agent, text: str, exit_code: int, reason: str, stderr: str) -> None:
    ended = agent.run("job12345", text)
    failed = failure_of(ended)
    assert (failed.exit_code, failed.reason, failed.stderr) == (exit_code, reason, stderr)
    assert failed.started is not None
    assert failed.started <= ended.date


def test_a_program_that_is_not_there_never_began(agent: Agent) -> None:
    reason = "could not be started: there is no no-such-tool, or no interpreter that it names"
    assert agent.run("job12345", "command: [no-such-tool]\n").outcome == NeverBegan(reason)


def test_the_end_of_a_long_standard_error_is_kept(agent: Agent) -> None:
    text = "script: |\n  for i in {1..3000}; do printf 'ä' >&2; done\n  printf '\\xff end' >&2; exit 1\n"
    stderr = failure_of(agent.run("job12345", text)).stderr
    assert stderr is not None
    assert stderr.rstrip("� end") == "ä" * ((4096 - len("x end")) // 2)
    assert stderr.endswith("ä� end")


def test_a_job_that_is_killed(agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent.runner.kill("job12345", "cancelled by its manager")
    ended = agent.end("job12345")
    failed = failure_of(ended)
    assert (failed.reason, failed.exit_code) == ("cancelled by its manager", -15)
    assert not is_alive(pid)
    agent.runner.kill("job12345", "once more")
    agent.runner.kill("unknown1", "who?")
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}


def test_a_kill_right_behind_the_start(agent: Agent) -> None:
    agent.start("job12345", WAIT)
    agent.runner.kill("job12345", "not any more")
    assert reason_of(agent.end("job12345")) == "not any more"


def test_a_directory_that_cannot_be_made(agent: Agent) -> None:
    agent.directory("job12345").write_text("in the way")
    ended = agent.run("job12345", WAIT)
    assert ended.outcome == NeverBegan("could not be started: its directory cannot be made: Not a directory")
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}


def test_a_directory_for_which_there_is_no_space(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("caroni_edge.agent.keeper.files.write_new", full)
    ended = agent.run("job12345", WAIT)
    reason = "could not be started: its directory cannot be made: No space left on device"
    assert ended.outcome == NeverBegan(reason, no_room=True)


def test_a_start_that_the_keeper_cannot_record(agent: Agent) -> None:
    agent.run("job12345", UPPER, {"message": "x"})
    (agent.state_dir / RUNNING).rmdir()
    (agent.state_dir / RUNNING).write_text("in the way")
    ended = agent.run("another1", WAIT)
    assert ended.outcome == NeverBegan("could not be started: Not a directory")
    (agent.state_dir / RUNNING).unlink()
    (agent.state_dir / RUNNING).mkdir()
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}


def test_what_a_dead_agent_left_without_a_start_is_made_anew(agent: Agent) -> None:
    (agent.directory("job12345") / "work" / "rest").mkdir(parents=True)
    text = 'outputs: {n: int}\nscript: echo "n=$(ls | wc -l)" >> $CARONI_OUTPUTS\n'
    assert outputs_of(agent.run("job12345", text)) == {"n": 0}


# Log


LOUD = """
outputs: {jobout: string}
script: |
  echo one >&2
  touch ready
  while [ ! -e go ]; do sleep 0.01; done
  echo said
  echo two >&2
  printf 'jobout=x\\nextra=y\\n' >> "$CARONI_OUTPUTS"
"""


def test_a_log_is_read_while_it_grows(agent: Agent) -> None:
    agent.started("job12345", LOUD)
    wait_until(lambda: agent.runner.log_chunk("job12345", 0, 100)[0], TIMEOUT_S, "the log to come by its keeper")
    assert agent.runner.log_chunk("job12345", 0, 100) == (b"one\n", False)
    assert agent.runner.log_chunk("job12345", 4, 100) == (b"", False)
    agent.go("job12345")
    assert outputs_of(agent.end("job12345")) == {"jobout": "x"}
    note = b'caroni-edge: output "extra" is dropped: the job type does not declare it\n'
    whole = b"one\ntwo\n--- standard output:\nsaid\n" + note
    assert agent.runner.log_chunk("job12345", 0, 1000) == (whole, True)
    assert agent.runner.log_chunk("job12345", len(whole), 1000) == (b"", True)
    read, is_end = b"", False
    while not is_end:
        data, is_end = agent.runner.log_chunk("job12345", len(read), 7)
        assert len(data) == min(7, len(whole) - len(read))
        read += data
    assert read == whole


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("outputs: {a: int}\nscript: |\n  echo '{\"a\": 1}'; echo note >&2\n", "note\n"),
        ("outputs: {a: int}\nscript: |\n  echo '{\"a\": 1}'; exit 1\n", '--- standard output:\n{"a": 1}\n'),
        ("outputs: {a: int}\nscript: echo hello\n", "--- standard output:\nhello\n"),
        ("script: echo hello\n", "--- standard output:\nhello\n"),
        ("script: 'true'\n", ""),
    ],
)
def test_standard_output_is_log_where_it_is_not_the_outputs(agent: Agent, text: str, log: str) -> None:
    agent.run("job12345", text)
    assert agent.log("job12345") == log


def test_the_log_of_a_job_that_nobody_knows(agent: Agent) -> None:
    assert agent.runner.log_chunk("unknown1", 0, 100) == (b"", True)


def test_a_job_is_removed(agent: Agent) -> None:
    agent.run("job12345", "script: mkdir -p a/b; touch a/b/c; chmod 500 a/b a\n")
    agent.runner.remove("job12345")
    agent.runner.remove("job12345")
    agent.all_is_deleted()
    agent.started("running1", WAIT)
    agent.runner.remove("running1")
    agent.go("running1")
    assert outputs_of(agent.end("running1")) == {"jobout": "done"}


# Restarts


def test_a_job_outlives_the_agent(make_agent: MakeAgent, agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent = again(make_agent, agent, "job12345")
    assert is_alive(pid)
    agent.go("job12345")
    ended = agent.end("job12345")
    assert outputs_of(ended) == {"jobout": "done"}


def test_an_end_that_the_agent_missed_is_delivered(make_agent: MakeAgent, agent: Agent) -> None:
    pid = agent.started("job12345", WAIT + "  echo extra=1 >> $CARONI_OUTPUTS\n")
    agent.stop()
    agent.go("job12345")
    wait_until(lambda: not is_alive(pid), TIMEOUT_S, "the job's end")
    agent = make_agent("job12345")
    ended = agent.end("job12345")
    assert outputs_of(ended) == {"jobout": "done"}
    assert agent.log("job12345") == 'caroni-edge: output "extra" is dropped: the job type does not declare it\n'


def test_a_job_that_failed_while_the_agent_was_away(make_agent: MakeAgent, agent: Agent) -> None:
    pid = agent.started("job12345", "script: |\n  touch ready\n  while [ ! -e go ]; do sleep 0.01; done\n  exit 5\n")
    agent.stop()
    agent.go("job12345")
    wait_until(lambda: not is_alive(pid), TIMEOUT_S, "the job's end")
    ended = make_agent("job12345").end("job12345")
    assert failure_of(ended).reason == "exit status 5"


def test_a_job_that_was_never_started_will_never_be(make_agent: MakeAgent, agent: Agent) -> None:
    agent = again(make_agent, agent, "job12345")
    ended = agent.end("job12345")
    never = NeverBegan("it was never started: the agent stopped before it could be")
    assert ended.outcome == never
    assert agent.run("job12345", WAIT).outcome == never


def test_a_job_is_not_started_twice_whoever_asks(make_agent: MakeAgent, agent: Agent) -> None:
    agent.started("job12345", WAIT)
    agent.start("job12345", WAIT)
    agent = again(make_agent, agent, "job12345")
    agent.start("job12345", WAIT)
    agent.go("job12345")
    assert outputs_of(agent.end("job12345")) == {"jobout": "done"}
    agent.start("job12345", WAIT)
    assert outputs_of(agent.end("job12345")) == {"jobout": "done"}
    agent = again(make_agent, agent)
    agent.start("job12345", WAIT)
    assert outputs_of(agent.end("job12345")) == {"jobout": "done"}
    assert (agent.directory("job12345") / "runs").read_text() == "run\n"


def test_what_was_started_has_begun_whatever_the_database_says(make_agent: MakeAgent, agent: Agent) -> None:
    """The database is a copy from before the jobs got a slot."""
    agent.start("job12345", WAIT)
    agent.run("another1", UPPER, {"message": "x"})
    agent.stop()
    agent = make_agent(waiting=("another1", "job12345", "neverrun"), takes_over=False)
    known = agent.taken_over.get(timeout=TIMEOUT_S)
    assert [each.job for each in known.begun] == ["another1", "job12345"]
    assert [each.job for each in known.ended] == ["another1"]
    assert outputs_of(agent.end("another1")) == {"jobout": "x"}
    agent.go("job12345")
    assert outputs_of(agent.end("job12345")) == {"jobout": "done"}


def test_how_far_the_database_had_come_at_the_last_start_is_known_over_keepers(
    make_agent: MakeAgent, agent: Agent
) -> None:
    assert (agent.known.database, agent.known.serial) == ("", 0)
    for job, database, serial in (("job00001", "d1", 7), ("job00002", "d2", 5), ("job00003", "d2", 4)):
        order = replace(agent.order(job, UPPER, {"message": "x"}), database=database, serial=serial)
        agent.runner.start(order)
        agent.end(job)
    agent.kill_keeper()
    agent = again(make_agent, agent)
    assert (agent.known.database, agent.known.serial) == ("d2", 5)


def test_what_belongs_to_no_job_is_killed(make_agent: MakeAgent, agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent = again(make_agent, agent)
    ended = agent.end("job12345")
    assert failure_of(ended).reason == "the agent's database does not know this job"
    assert not is_alive(pid)


def test_a_job_that_somebody_else_starts_is_killed(agent: Agent) -> None:
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}
    other = Keeper(agent.state_dir)
    other.start("job12345", "/bin/sleep", "600")
    assert failure_of(agent.end("job12345")).reason == "the agent's database does not know this job"
    other.close()


def test_a_keeper_that_is_killed_is_replaced_and_its_jobs_are_adopted(agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent.kill_keeper()
    agent.keeper()
    assert is_alive(pid)
    agent.start("another1", UPPER, {"message": "x"})
    assert outputs_of(agent.end("another1")) == {"jobout": "x"}
    agent.go("job12345")
    ended = agent.end("job12345")
    failed = failure_of(ended)
    assert (failed.reason, failed.exit_code) == ("its keeper died, so its exit status is not known", None)
    assert (agent.directory("job12345") / "runs").read_text() == "run\n"


def test_a_job_of_a_killed_keeper_can_be_killed(agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent.kill_keeper()
    agent.runner.kill("job12345", "enough")
    assert failure_of(agent.end("job12345")).reason == "enough"
    assert not is_alive(pid)


def test_agent_and_keeper_are_killed_and_the_job_ends(make_agent: MakeAgent, agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    agent.stop()
    agent.kill_keeper()
    agent.go("job12345")
    wait_until(lambda: not is_alive(pid), TIMEOUT_S, "the job's end")
    ended = make_agent("job12345").end("job12345")
    assert failure_of(ended).reason == "it ended unseen: the keeper that watched it had died"


def test_after_a_boot_a_job_ended_unseen(make_agent: MakeAgent, agent: Agent) -> None:
    agent.run("finished", UPPER, {"message": "x"})
    agent.stop()
    path = agent.directory("finished") / "record"
    path.write_text(path.read_text().replace(boot_id(), "another"))
    agent = make_agent("finished")
    ended = agent.end("finished")
    assert failure_of(ended).reason == "it ended unseen: the host was restarted while it ran"


def test_a_job_whose_record_cannot_be_read_may_have_begun(make_agent: MakeAgent, agent: Agent) -> None:
    agent.stop()
    (agent.directory("job12345") / "record").mkdir(parents=True)
    ended = make_agent("job12345").end("job12345")
    assert failure_of(ended).reason.startswith("what became of it cannot be read: ")


def test_many_jobs_under_kills_of_the_keeper_are_each_delivered_and_run_once(agent: Agent) -> None:
    text = "script: |\n  echo run >> ../runs\n"
    jobs = [f"job{number:05}" for number in range(60)]
    order = agent.order("job00000", text)
    ends: dict[str, JobEnded] = {}
    for number, job in enumerate(jobs):
        agent.runner.start(JobOrder(job, order.job_type, {}, "w1", "s1", 1, "m1"))
        if number % 20 == 10:
            agent.kill_keeper()
    while len(ends) < len(jobs):
        ended = agent.ended.get(timeout=TIMEOUT_S)
        ends[ended.job] = ended
    for job in jobs:
        path, ended = agent.directory(job) / "runs", ends[job]
        runs = path.read_text() if path.exists() else ""
        if isinstance(ended.outcome, Completed):
            assert outputs_of(ended) == {}
            assert runs == "run\n"
        else:
            assert runs in {"run\n", ""}
            assert failure_of(ended).reason.endswith(("had died", "is not known"))
    assert outputs_of(ends[jobs[-1]]) == {}
    assert os.listdir(agent.state_dir / RUNNING) == []


def test_a_keeper_that_cannot_be_started_is_said_and_tried_again(make_agent: MakeAgent, tmp_path: Path) -> None:
    obstacle = tmp_path / "state" / "keeper.lock"
    obstacle.mkdir()
    agent = make_agent(takes_over=False)
    agent.start("job12345", UPPER, {"message": "x"})
    trouble = wait_until(lambda: agent.runner.trouble, TIMEOUT_S, "trouble")
    assert trouble is not None
    assert trouble.startswith("the keeper could not be started: ")
    assert trouble.endswith("Is a directory")
    obstacle.rmdir()
    assert outputs_of(agent.end("job12345")) == {"jobout": "x"}
    assert agent.runner.trouble is None
    assert agent.taken_over.get(timeout=TIMEOUT_S) == TakenOver(boot=boot_id())


def test_a_keeper_ends_with_an_agent_that_has_no_jobs(make_agent: MakeAgent, agent: Agent) -> None:
    agent.run("job12345", UPPER, {"message": "x"})
    agent.stop()
    wait_until(lambda: keepers_of(agent.state_dir) == [], TIMEOUT_S, "the keeper's end")
    agent = make_agent()
    agent.started("another1", WAIT)
    before = agent.keeper()
    agent.stop()
    agent = make_agent("another1")
    agent.go("another1")
    assert outputs_of(agent.end("another1")) == {"jobout": "done"}
    assert agent.keeper() == before


def test_a_keeper_of_another_version_is_replaced_once_it_is_idle(make_agent: MakeAgent, tmp_path: Path) -> None:
    older = Keeper(tmp_path / "state")
    older.started("job12345", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    agent = make_agent("job12345")
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}
    assert len(keepers_of(agent.state_dir)) == 2, "the older one gets no new jobs; the next one serves beside it"
    assert older.is_alive
    agent.go("job12345")
    assert outputs_of(agent.end("job12345")) == {}
    wait_until(lambda: not older.is_alive, TIMEOUT_S, "the end of the older keeper")
    older.close()
    agent.stop()
    older = Keeper(tmp_path / "state")
    agent = make_agent()
    wait_until(lambda: not older.is_alive, TIMEOUT_S, "the end of the older keeper")
    older.close()
    assert outputs_of(agent.run("another2", UPPER, {"message": "x"})) == {"jobout": "x"}


def test_a_keeper_that_is_being_started_ends_with_its_agent_too(make_agent: MakeAgent) -> None:
    made = make_agent(takes_over=False)
    made.stop()
    wait_until(lambda: not keepers_of(made.state_dir), what="the keeper to end")
