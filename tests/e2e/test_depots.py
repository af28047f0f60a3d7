"""Files that are kept on a third host: two that are never online together pass one on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import Fleet
from tests.e2e.test_files import COUNT, NIGHT, SHOOT, STARS, written
from tests.s3server import S3Server, running_s3
from tests.support import wait_until


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    with running_s3(tmp_path) as server:
        yield server


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


def test_a_depot_whose_disk_was_wiped_gives_what_lies_in_its_bucket(fleet: Fleet, tmp_path: Path, s3: S3Server) -> None:
    (tmp_path / "none").mkdir()
    manager = fleet.manager(
        templates=written(tmp_path / "templates" / "night.cwl", NIGHT), depots=["a3"], files={"copies": 2}
    )
    depot = fleet.agent("a3", job_types=str(tmp_path / "none"), files={"depot": True, "bucket": s3.settings()})
    maker = fleet.agent("a1", job_types=written(tmp_path / "t1" / "shoot.yaml", SHOOT))
    s3.line.refuse()
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "w1"})
    wait_until(lambda: fleet.of("w1", "caroni.step.completed"), what="the image to be taken")
    wait_until(lambda: "bucket_unusable" in depot.log or "cannot be used" in depot.log, what="the trouble to be said")
    assert manager.get("/api/agents/a1")["files_only_here"] == 1
    s3.line.heal()
    wait_until(lambda: manager.get("/api/agents/a1")["files_only_here"] == 0, what="the bucket to have the image")
    (name,) = s3.names()
    maker.kill()
    assert manager.post("/api/forget", {"peer": "a1"}).status_code == 200  # nobody waits for it
    depot.stop()
    shutil.rmtree(depot.state_dir / "objects")
    depot.start()
    fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT))
    assert fleet.outputs("w1")["stars"] == STARS
    assert (depot.state_dir / "objects" / name[:2] / name).exists()
