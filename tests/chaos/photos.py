"""Workflows with a large file, which a job makes on one host and another one takes on another host."""

from collections.abc import Iterator, Mapping
from hashlib import sha1, sha256
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import object_of, object_value

JOBS = 2
EVERY = 11
"""One workflow of so many has a file."""
SMALLEST_BYTES, LARGEST_BYTES = 100_000, 3_000_000


class Way(NamedTuple):
    """From which agents to which others the files of a template go; no agent has both of its job types."""

    makers: tuple[str, ...]
    takers: tuple[str, ...]


WAYS = {"photo_there": Way(("a1", "a3"), ("a2",)), "photo_back": Way(("a2",), ("a1",))}
"""By template: from and to the agent on a small disk."""

_TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {{caroni: "urn:caroni:cwl#"}}
inputs: {{line: string, size: int}}
steps:
  shoot:
    run: {{class: Operation, inputs: {{line: string, size: int}}, outputs: {{image: File}}}}
    hints: {{caroni:JobType: {{name: {template}_shoot}}}}
    in: {{line: line, size: size}}
    out: [image]
  measure:
    run: {{class: Operation, inputs: {{image: File}}, outputs: {{digest: string}}}}
    hints: {{caroni:JobType: {{name: {template}_measure}}}}
    in: {{image: shoot/image}}
    out: [digest]
outputs:
  image: {{type: File, outputSource: shoot/image}}
  digest: {{type: string, outputSource: measure/digest}}
"""
_SHOOT = """\
yes "$CARONI_ENV_line" | head --bytes "$CARONI_ENV_size" > image.bin
echo image=image.bin >> "$CARONI_OUTPUTS"
"""
_MEASURE = """\
digest=$(sha256sum < "$CARONI_ENV_image")
echo "digest=${digest%% *}" >> "$CARONI_OUTPUTS"
"""


def write_templates(directory: Path) -> None:
    """Write the templates beside others."""
    for template in WAYS:
        (directory / f"{template}.cwl").write_text(_TEMPLATE.format(template=template))


def job_types(agent: str) -> Iterator[dict[str, Any]]:
    """Yield the job types that an agent has, as their files have them."""
    for template, way in WAYS.items():
        if agent in way.makers:
            takes, gives = {"line": "string", "size": "int"}, {"image": "File"}
            yield {"name": f"{template}_shoot", "inputs": takes, "outputs": gives, "script": _SHOOT}
        if agent in way.takers:
            takes, gives = {"image": "File"}, {"digest": "string"}
            yield {"name": f"{template}_measure", "inputs": takes, "outputs": gives, "script": _MEASURE}


class Photo(NamedTuple):
    """A workflow that is to be started, and what it is to give."""

    template: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


def photo(workflow: str, number: int) -> Photo | None:
    """Return the workflow that is to have this name and number, if it is one with a file."""
    if number % EVERY != EVERY // 2:
        return None
    template = list(WAYS)[number // EVERY % len(WAYS)]
    # As many small ones as large ones.
    size_bytes = int(SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** Random(workflow).random())
    line = f"{workflow}\n".encode()
    content = (line * (size_bytes // len(line) + 1))[:size_bytes]
    found = Object(sha256(content).hexdigest(), size_bytes)
    image = object_value("image.bin", found, sha1(content, usedforsecurity=False).hexdigest())
    return Photo(template, {"line": workflow, "size": size_bytes}, {"image": image, "digest": found.sha256})


def file_of(outputs: Mapping[str, Any]) -> Object | None:
    """Return the file among the outputs that a workflow is to have, if it is one with a file."""
    return object_of(outputs["image"]) if "image" in outputs else None


def is_whole(state_dir: Path, found: Object) -> bool:
    """Tell whether an agent has a file, with the right bytes."""
    return ObjectFiles(state_dir).is_right(found)
