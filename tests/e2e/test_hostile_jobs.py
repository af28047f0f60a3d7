"""Jobs that put pipes in the place of their files, and more jobs than there are descriptors: daemons go on."""

import resource
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemons import Daemon, Fleet
from tests.keepers import keepers_of
from tests.support import wait_until

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {}
outputs: {result: {type: string, outputSource: only/jobout}}
steps:
  only:
    in: {}
    out: [jobout]
    run:
      class: Operation
      inputs: {}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: NAME}}
"""
HOSTILE = """
echo jobout=done >> "$CARONI_OUTPUTS"
echo undeclared=x >> "$CARONI_OUTPUTS"
rm -f ../record ../stderr
mkfifo ../record ../stderr ../log.tail
chmod 0 .. .
"""

LINKS = """
cd ..
rm -f record stderr outputs; ln -s record record; ln -s "$OLDPWD/../../../../victim" stderr; mkdir outputs log.tail
"""
"""A link to itself, one to a file elsewhere, and directories in the place of files."""
MANY_KEYS = """
{
    printf '{"jobout": "x", "k1": 1'
    for n in $(seq 50000); do printf ', "k%d": 1' "$n"; done
    printf '}'
} > "$CARONI_OUTPUTS"
"""


def write(tmp_path: Path, **scripts: str) -> dict[str, str]:
    """Write a job type and a template of one step for each script; return the settings that name them."""
    for directory in ("types", "templates"):
        (tmp_path / directory).mkdir()
    for name, script in scripts.items():
        facts = {"name": name, "outputs": {"jobout": "string"}, "script": script}
        (tmp_path / "types" / f"{name}.yaml").write_text(yaml.safe_dump(facts))
        (tmp_path / "templates" / f"{name}.cwl").write_text(TEMPLATE.replace("NAME", name))
    return {"types": str(tmp_path / "types"), "templates": str(tmp_path / "templates")}


def start(manager: Daemon, workflow: str, template: str) -> None:
    """Start a workflow by the API."""
    assert manager.post("/api/workflows", {"template": template, "id": workflow}).status_code == 201


def wait_completed(manager: Daemon, count: int) -> None:
    """Wait until so many workflows have completed."""
    path = "/api/workflows?status=completed&limit=1000"
    wait_until(lambda: len(manager.get(path)["workflows"]) == count, 90, f"{count} workflows to complete", every_s=0.1)


def test_a_job_with_pipes_in_the_place_of_its_files_gives_its_slot_back(fleet: Fleet, tmp_path: Path) -> None:
    where = write(tmp_path, hostile=HOSTILE, kind="echo jobout=x >> $CARONI_OUTPUTS")
    agent = fleet.agent(job_types=where["types"], slots=1)
    manager = fleet.manager(templates=where["templates"])
    start(manager, "w1", "hostile")
    start(manager, "w2", "kind")
    wait_completed(manager, 2)
    agent.stop()
    agent.start()
    start(manager, "w3", "kind")
    wait_completed(manager, 3)


@pytest.mark.parametrize("script", [LINKS, MANY_KEYS], ids=["links", "many keys"])
def test_a_job_that_fails_by_what_it_has_left_ends_and_others_go_on(fleet: Fleet, tmp_path: Path, script: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    where = write(tmp_path, hostile=script, kind="echo jobout=x >> $CARONI_OUTPUTS")
    fleet.agent(job_types=where["types"], slots=1)
    manager = fleet.manager(templates=where["templates"], attempts=1)
    start(manager, "w1", "hostile")
    start(manager, "w2", "kind")
    wait_completed(manager, 1)
    wait_until(lambda: manager.get("/api/workflows/w1")["status"] == "failed", what="the hostile one to fail")
    assert victim.read_text() == "untouched"


def test_more_jobs_than_the_keeper_has_descriptors_run_once_each(fleet: Fleet, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    script = f"echo $CARONI_WORKFLOW >> {trace}; sleep 2; echo jobout=x >> $CARONI_OUTPUTS"
    where = write(tmp_path, short=script)
    agent = fleet.agent(job_types=where["types"], slots=40)
    manager = fleet.manager(templates=where["templates"])
    (keeper,) = wait_until(lambda: keepers_of(agent.state_dir), what="a keeper")
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, (36, 36))
    for number in range(40):
        start(manager, f"w{number}", "short")
    wait_completed(manager, 40)
    assert sorted(trace.read_text().split()) == sorted(f"w{number}" for number in range(40))
    assert Path(f"/proc/{keeper}/task/{keeper}/children").read_text() == ""
    assert keepers_of(agent.state_dir) == [keeper]
