"""What people do by the API, on real daemons: a new template, a pause over a kill, another run, deleting many."""

import shutil
from pathlib import Path

from tests.e2e.daemons import CONFIG, TOKEN, Daemon, Fleet
from tests.support import HTTP, wait_until


def put(manager: Daemon, name: str, source: str, mark: str | None) -> int:
    """Write a template; return the status."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"source": source, "mark": mark}
    return HTTP.put(f"{manager.url}/api/templates/{name}", headers=headers, json=body).status_code


def states(manager: Daemon) -> dict[str, str]:
    """Return the state of each workflow."""
    return {each["id"]: each["status"] for each in manager.get("/api/workflows")["workflows"]}


def test_a_template_is_made_paused_run_again_and_its_runs_deleted(fleet: Fleet, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(CONFIG / "templates", templates)
    manager = fleet.manager(templates=str(templates))
    source = manager.get("/api/templates/test_simple")["source"]
    assert manager.get("/api/templates/test_simple")["agents"]  # nobody is there yet
    assert put(manager, "mine", source, None) == 200
    fleet.agent()
    wait_until(lambda: not manager.get("/api/templates/mine")["agents"], what="an agent for all of its steps")

    assert manager.post("/api/templates/mine/pause").json()["paused"]
    for number in range(3):
        fleet.trigger({"template": "mine", "id": f"w{number}", "inputs": {"message": f"hello{number}"}})
    wait_until(lambda: fleet.of("w2", "caroni.workflow.held"), what="the last one to be held")
    manager.kill()
    manager.start()
    assert states(manager) == {f"w{number}": "held" for number in range(3)}
    assert manager.post("/api/templates/mine/resume").json()["paused"] is False
    found = [fleet.outputs(f"w{number}") for number in range(3)]
    assert found == [{"result": f"prepended HELLO{number}append"} for number in range(3)]

    again = manager.post("/api/workflows/w0/rerun", {"inputs": {"message": "again"}, "id": "w3"})
    assert again.status_code == 201
    assert "AGAIN" in str(fleet.outputs("w3"))

    counted = manager.post("/api/workflows/delete?template=mine").json()
    assert (counted["count"], counted["begun"]) == (4, False)
    assert manager.post("/api/workflows/delete?template=mine&count=4").json()["begun"]
    wait_until(lambda: states(manager) == {}, what="all of them to be deleted")
