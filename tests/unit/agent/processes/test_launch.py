"""How a job is prepared for its start: whether it reads the stored object itself, or a copy."""

from pathlib import Path

import pytest

from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.jobtypes import parse_job_type
from caroni_edge.agent.processes.launch import Launcher
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.agent.processes.trash import TRASH, Trash
from caroni_edge.agent.processes.workspace import Workspaces
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.values.carried import object_value


@pytest.mark.parametrize(
    ("strength", "is_object"), [(Strength.EACH, True), (Strength.SHARED, False), (Strength.NONE, False)]
)
def test_a_job_reads_the_object_itself_where_it_surely_cannot_change_it(
    tmp_path: Path, strength: Strength, *, is_object: bool
) -> None:
    store = ObjectFiles(tmp_path)
    (tmp_path / "source").write_bytes(b"x" * 20_000)
    with (tmp_path / "source").open("rb") as file:
        taken = store.take(file)
    workspaces = Workspaces(tmp_path, Trash(str(tmp_path / TRASH)), {})
    job_type = parse_job_type("name: take\ninputs: {file: File}\nscript: cat\n", tmp_path / "take.yaml")
    inputs = {"file": object_value("a.fits", taken.object, taken.sha1)}
    order = JobOrder("job12345", job_type, inputs, "w1", "s1", 1, "m1", box=Choice(strength), objects=(taken.object,))
    Launcher(str(tmp_path), "a1", workspaces, Boxes(), store).prepare(order)
    staged = tmp_path / "jobs" / "job12345" / "files" / "0" / "a.fits"
    assert staged.read_bytes() == b"x" * 20_000
    assert staged.samefile(store.path(taken.object.id)) is is_object
