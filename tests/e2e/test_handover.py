"""A workflow goes on while its manager is away: its agent hands outputs from job to job."""

from typing import Any

import yaml

from tests.e2e.daemons import Fleet
from tests.e2e.notes import wait_completed
from tests.support import wait_until

STEPS = ("first", "second", "third")


def chain() -> dict[str, Any]:
    """Return a template of three steps, of which each takes what the one before has given."""
    step = {
        "class": "Operation",
        "inputs": {"text": "string"},
        "outputs": {"out": "string"},
        "hints": {"caroni:JobType": {"name": "mark"}},
    }
    sources = ["text", *(f"{name}/out" for name in STEPS)]
    return {
        "cwlVersion": "v1.2",
        "class": "Workflow",
        "$namespaces": {"caroni": "urn:caroni:cwl#"},
        "inputs": {"text": "string"},
        "outputs": {"result": {"type": "string", "outputSource": sources[-1]}},
        "steps": {
            name: {"in": {"text": source}, "out": ["out"], "run": step}
            for name, source in zip(STEPS, sources, strict=False)
        },
    }


def test_a_chain_ends_while_its_manager_is_away_and_each_job_is_run_once(fleet: Fleet) -> None:
    trace, go = fleet.directory / "trace", fleet.directory / "go"
    templates, types = fleet.directory / "templates", fleet.directory / "types"
    templates.mkdir()
    types.mkdir()
    (templates / "chain.cwl").write_text(yaml.safe_dump(chain()))
    script = f"""
        echo "$CARONI_STEP" >> {trace}
        while [ ! -e {go} ]; do sleep 0.05; done
        printf 'out=%s+\\n' "$CARONI_ENV_text" >> "$CARONI_OUTPUTS"
    """
    facts = {"name": "mark", "inputs": {"text": "string"}, "outputs": {"out": "string"}, "script": script}
    (types / "mark.yaml").write_text(yaml.safe_dump(facts))
    manager, agent = fleet.manager(templates=str(templates)), fleet.agent(job_types=str(types))
    manager.post("/api/workflows", {"template": "chain", "inputs": {"text": "x"}, "id": "w1"})

    def states() -> list[str]:
        return sorted(job["status"] for job in agent.get("/api/jobs")["jobs"])

    wait_until(lambda: states() == ["pending", "pending", "running"], what="all jobs to be placed")
    manager.kill()
    go.touch()
    wait_until(lambda: states() == ["completed"] * 3, what="the chain to end without its manager")
    manager.start()
    wait_completed(manager, 1)
    assert manager.get("/api/workflows/w1")["outputs"] == {"result": "x+++"}
    assert trace.read_text().split() == list(STEPS)
