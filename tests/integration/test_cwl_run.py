"""`cwl-run` with real jobs: a manager, an agent and its keeper, and nothing of them afterwards."""

import json
from pathlib import Path

import psutil
from click.testing import CliRunner

from caroni_edge import cli
from tests.filehost import file_host

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


COUNT = 'name: count\ninputs: {file: File}\noutputs: {size: int}\nscript: |\n  echo size=$(wc -c < "$CARONI_ENV_file")'
COUNTS = """\
cwlVersion: v1.2
class: Workflow
inputs: {file: File}
outputs: {size: {type: int, outputSource: s/size}}
steps:
  s:
    in: {file: file}
    out: [size]
    run:
      class: Operation
      inputs: {file: File}
      outputs: {size: int}
      hints: {caroni:JobType: {name: count}}
"""


def test_a_file_at_an_address_is_fetched(tmp_path: Path) -> None:
    types = tmp_path / "types"
    types.mkdir()
    (types / "count.yaml").write_text(COUNT + ' >> "$CARONI_OUTPUTS"\n')
    (tmp_path / "flow.cwl").write_text(COUNTS)
    with file_host() as host:
        host.files = {"/m31.fits": b"x" * 50_000}
        for path, status, said in (("/m31.fits", 0, '"size": 50000'), ("/none", 1, "404")):
            (tmp_path / "job.json").write_text(json.dumps({"file": {"class": "File", "location": host.url(path)}}))
            arguments = ["cwl-run", str(tmp_path / "flow.cwl"), str(tmp_path / "job.json"), "--job-types", str(types)]
            done = CliRunner().invoke(cli.main, arguments)
            assert (done.exit_code, said in done.output) == (status, True), done.output
