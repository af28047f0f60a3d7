"""Secrets of jobs from their job type to the end of the job, with a runner and its keeper."""

import json
from dataclasses import replace
from pathlib import Path

from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan
from tests.integration.test_secrets import SECRET, assert_nowhere
from tests.runners import Agent, MakeAgent
from tests.support import wait_until


def test_an_output_that_holds_a_secret_fails_the_attempt_and_is_named(make_agent: MakeAgent, tmp_path: Path) -> None:
    agent = make_agent()
    (tmp_path / "state" / "key").write_text(f"{SECRET}\n")
    job_type = "secrets: {KEY: {file: key}}\noutputs: {out: string, fine: int}\n"
    for job, write in {
        "job1": 'printf "fine=1\\nout=a %s b\\n" "$CARONI_SECRET_KEY" > $CARONI_OUTPUTS',
        "job2": f"cat <<'IT_ENDS'\n{json.dumps({'fine': 1, 'out': SECRET})}\nIT_ENDS",
    }.items():
        script = "".join(f"  {line}\n" for line in write.split("\n"))
        ended = agent.run(job, f"{job_type}script: |\n{script}")
        assert isinstance(ended.outcome, Failed)
        assert ended.outcome.reason == "output out: it holds a secret of its job type (***), which no output may"
        assert SECRET not in repr(ended)
        assert_nowhere(tmp_path / "state" / JOBS)
    ended = agent.run("job3", f'{job_type}script: |\n  printf "fine=1\\nout=x\\n" > $CARONI_OUTPUTS\n')
    assert isinstance(ended.outcome, Completed)


def test_a_job_whose_secret_is_gone_never_began_and_its_job_type_lacks_it(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    agent = make_agent()
    ended = agent.run("job1", "secrets: {KEY: {file: key}}\nscript: echo x\n")
    assert isinstance(ended.outcome, NeverBegan)
    assert ended.outcome.lacking
    where = tmp_path / "state" / "key"
    assert ended.outcome.reason == (
        f"could not be started: its secret KEY cannot be read: {where}: No such file or directory"
    )
    assert not (tmp_path / "state" / JOBS / "job1").exists()


def test_what_is_to_be_hidden_by_now_is_seen_by_no_job_that_starts_from_then_on(boxed: Agent, tmp_path: Path) -> None:
    secret, boxes = tmp_path / "api.key", boxed.state_dir / "boxes"
    look = (
        f'touch ready; until [ -e go ]; do sleep 0.01; done; echo "$(cat {secret} 2>/dev/null; echo and no more)" >&2'
    )

    def start(job: str) -> None:
        boxed.runner.start(replace(boxed.order(job, f"script: |\n  {look}\n"), box=Choice(Strength.SHARED)))
        wait_until((boxed.work(job) / "ready").exists, what=f"{job} to be ready")

    def seen_by(job: str) -> str:
        boxed.go(job)
        boxed.end(job)
        return boxed.log(job)

    secret.write_text(f"{SECRET}\n")
    start("job1")
    boxed.runner.hide(hidden(boxed.state_dir, [secret], None))
    start("job2")
    boxed.runner.hide(hidden(boxed.state_dir, [secret], None))  # nothing new
    assert len(list(boxes.glob("shared-*"))) == 2
    assert seen_by("job2") == "and no more\n"
    assert seen_by("job1") == f"{SECRET}\nand no more\n"
    secret.unlink()
    secret.write_text(f"another {SECRET}\n")
    boxed.runner.hide(hidden(boxed.state_dir, [secret], None))
    start("job3")
    assert seen_by("job3") == "and no more\n"
    wait_until(lambda: len(list(boxes.glob("shared-*"))) == 1, what="the boxes of before to end")
