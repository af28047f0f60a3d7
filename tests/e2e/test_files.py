"""Files that travel inside values: from a trigger through jobs on two hosts, to the outputs of the workflow."""

from pathlib import Path

from caroni_edge.values.carried import file_value
from tests.e2e.daemons import Fleet
from tests.support import wait_until

BYTES = bytes(range(200, 216))

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {photos: "File[]"}
steps:
  small:
    scatter: image
    run: {class: Operation, inputs: {image: File, name: string}, outputs: {thumb: File}}
    hints: {caroni:JobType: {name: thumbnail}}
    in: {image: photos, name: {valueFrom: "$(inputs.image.nameroot)-small"}}
    out: [thumb]
  pack:
    run: {class: Operation, inputs: {files: "File[]"}, outputs: {archive: File, list: File}}
    hints: {caroni:JobType: {name: pack}}
    in: {files: small/thumb}
    out: [archive, list]
outputs:
  archive: {type: File, outputSource: pack/archive}
  list: {type: File, outputSource: pack/list}
"""
THUMBNAIL = """\
name: thumbnail
inputs: {image: File, name: string}
outputs: {thumb: File}
script: |
  head --bytes 4 "$CARONI_ENV_image" > "$CARONI_ENV_name"
  echo "thumb=$CARONI_ENV_name" >> "$CARONI_OUTPUTS"
"""
PACK = """\
name: pack
inputs: {files: "File[]"}
outputs: {archive: File, list: File}
interpreter: [python3]
script: |
  import json, os, pathlib
  files = [pathlib.Path(each["path"]) for each in json.loads(os.environ["CARONI_ENV_files"])]
  pathlib.Path("archive.bin").write_bytes(b"".join(each.read_bytes() for each in files))
  pathlib.Path("list.txt").write_text("".join(f"{each.name}\\n" for each in files))
  pathlib.Path(os.environ["CARONI_OUTPUTS"]).write_text("archive=archive.bin\\nlist=list.txt\\n")
"""


def written(path: Path, text: str) -> str:
    """Write a file, and return its directory."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return str(path.parent)


def test_files_go_from_host_to_host_inside_values(any_fleet: Fleet, tmp_path: Path) -> None:
    any_fleet.agent("a1", job_types=written(tmp_path / "t1" / "thumbnail.yaml", THUMBNAIL))
    any_fleet.agent("a2", job_types=written(tmp_path / "t2" / "pack.yaml", PACK))
    manager = any_fleet.manager(templates=written(tmp_path / "templates" / "album.cwl", TEMPLATE))
    photos = [{"class": "File", "basename": "m31.txt", "contents": "spiral"}, file_value("m42.bin", BYTES)]
    any_fleet.trigger({"template": "album", "inputs": {"photos": photos}, "id": "w1"})
    assert any_fleet.outputs("w1") == {
        "archive": file_value("archive.bin", b"spir" + BYTES[:4]),
        "list": file_value("list.txt", b"m31-small\nm42-small\n"),
    }
    assert manager.get("/api/workflows/w1")["steps"]["pack"]["agent"] == "a2"


def test_a_file_that_lies_elsewhere_is_refused_in_words(fleet: Fleet, tmp_path: Path) -> None:
    fleet.manager(templates=written(tmp_path / "templates" / "album.cwl", TEMPLATE))
    photos = [{"class": "File", "location": "https://example.org/m31.fits"}]
    fleet.trigger({"template": "album", "inputs": {"photos": photos}, "id": "w1"})
    [refused] = wait_until(fleet.rejections, 30.0, "the trigger to be refused")
    assert "a file that lies elsewhere" in refused["reason"]
