"""Files that are kept on a third host: two that are never online together pass one on."""

from pathlib import Path

from tests.e2e.daemons import Fleet
from tests.e2e.test_files import COUNT, NIGHT, SHOOT, STARS, written
from tests.support import wait_until


def test_hosts_that_are_never_online_together_pass_a_file_on_by_a_depot(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    manager = fleet.manager(
        templates=written(tmp_path / "templates" / "night.cwl", NIGHT), depots=["a3"], files={"copies": 2}
    )
    maker = fleet.agent("a1", job_types=written(tmp_path / "t1" / "shoot.yaml", SHOOT))
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "w1"})
    wait_until(lambda: fleet.of("w1", "caroni.step.completed"), what="the image to be taken")
    (lacks,) = [each for each in manager.get("/api/workflows/w1/why")["why"] if each["condition"] == "lacks_copies"]
    assert lacks["facts"]["depots"] == {"a3": "has never been seen by this manager"}
    fleet.agent("a3", job_types=str(tmp_path / "none"), files={"depot": True})
    wait_until(lambda: manager.get("/api/agents/a1")["files_only_here"] == 0, what="the depot to have the image")
    maker.kill()
    fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT))
    assert fleet.outputs("w1")["stars"] == STARS
    assert [manager.get(f"/api/agents/{name}")["depot"] for name in ("a3", "a2")] == ["open", ""]
