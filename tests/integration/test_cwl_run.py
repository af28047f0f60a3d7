"""`cwl-run` with real jobs: a manager, an agent and its keeper, and nothing of them afterwards."""

import json
from pathlib import Path

import psutil
from click.testing import CliRunner

from caroni_edge import cli

CONFIG = Path(__file__).parents[2] / "config"
FLOW = """\
cwlVersion: v1.0
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {a: "string[]"}
outputs: {r: {type: "string[]", outputSource: s/jobout}}
steps:
  s:
    in: {message: a}
    scatter: message
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: foojob0}}
"""


def test_a_workflow_is_run_by_jobs_and_leaves_nothing(tmp_path: Path) -> None:
    flow, job = tmp_path / "flow.cwl", tmp_path / "job.json"
    flow.write_text(FLOW)
    job.write_text(json.dumps({"a": ["x", "y", "z"]}))
    before = set(psutil.Process().children())  # theirs come and go by themselves
    done = CliRunner().invoke(cli.main, ["cwl-run", str(flow), str(job), "--job-types", str(CONFIG / "jobtypes")])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"r": ["X", "Y", "Z"]}), done.stderr
    assert set(psutil.Process().children()) <= before
