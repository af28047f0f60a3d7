"""Secrets of jobs from their job type to the end of the job, with a runner and its keeper."""

import json
from pathlib import Path

from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan
from tests.integration.test_secrets import SECRET, assert_nowhere
from tests.runners import MakeAgent


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
