"""What a person does who starts a run with files: chooses them in the form, with scripts and without."""

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import expect

from caroni_edge.objects.objects import Object
from tests.browser.conftest import OpenPage
from tests.web_bench import ManagerBench, serve_manager

LARGE = bytes(range(256)) * 10_000

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
inputs: {photo: File, more: "File[]?", depth: int}
steps: {}
outputs: {}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "look.cwl").write_text(TEMPLATE)
    with closing(ManagerBench(tmp_path, directory=tmp_path / "templates", disk_floor_bytes=0)) as bench:
        yield bench


@pytest.mark.parametrize("script", [True, False])
def test_files_are_chosen_in_the_form(bench: ManagerBench, tmp_path: Path, open_page: OpenPage, script: bool) -> None:
    (tmp_path / "m31.fits").write_bytes(LARGE)
    (tmp_path / "note.txt").write_text("hello\n")
    with serve_manager(bench, tmp_path) as server:
        page = open_page(f"{server.url}/templates/look/start", script=script)
        page.set_input_files("input[name=file-photo]", tmp_path / "m31.fits")
        page.set_input_files("input[name=file-more]", [tmp_path / "note.txt", tmp_path / "m31.fits"])
        page.fill("#f-input-depth", "3")
        page.fill("#f-id", "w1")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/runs/w1")
        expect(page.get_by_role("link", name="m31.fits").first).to_be_visible()
    assert bench.storage.path(Object(sha256(LARGE).hexdigest(), 0).id).read_bytes() == LARGE
