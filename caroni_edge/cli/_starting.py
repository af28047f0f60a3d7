"""What `submit` and `run` have in common: what is to be started, and by which way."""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._brokers import check_segment
from caroni_edge.cli._files import FILE
from caroni_edge.cli._folders import Uploads, folder_value
from caroni_edge.cli._ids import complete_template

if TYPE_CHECKING:
    from caroni_edge.protocol.triggers import Trigger


def duration_option(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    from caroni_edge.config import duration  # noqa: PLC0415

    try:
        return None if text is None else duration(text)
    except ValueError as error:
        raise UsageError("--timeout", str(error)) from None


_OPTIONS: Final = (
    click.argument("template", shell_complete=complete_template),
    click.option("-i", "--input", "pairs", multiple=True, metavar="NAME=TEXT", help="An input; NAME:=JSON gives JSON."),
    click.option(
        "--file",
        "named_files",
        multiple=True,
        metavar="NAME=PATH",
        help="A file or a directory as an input; for a list of files, one --file for each.",
    ),
    click.option("--inputs", "inputs_file", type=FILE, help="A YAML or JSON file with inputs."),
    click.option("--id", "workflow", metavar="ID", help="Id of the workflow; the same one never starts it twice."),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="What it is about, to be found by."),
    click.option("--priority", type=click.IntRange(0, 9), default=4, show_default=True),
    click.option(
        "--timeout",
        "timeout_s",
        callback=duration_option,
        metavar="DURATION",
        help="Give up after so long (exit status 3).",
    ),
)


def trigger_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that say what is started: `trigger`, and the files to upload."""

    @functools.wraps(command)
    def with_trigger(
        *args: Any,
        template: str,
        pairs: tuple[str, ...],
        named_files: tuple[str, ...],
        inputs_file: Path | None,
        workflow: str | None,
        priority: int,
        labels: tuple[str, ...],
        **kwargs: Any,
    ) -> None:
        given = _file(inputs_file) if inputs_file else {}
        uploads: Uploads = {}
        inputs = {**given, **inputs_of(pairs), **files_of(named_files, uploads)}
        trigger = _trigger(template, inputs, workflow, priority, _labels(labels))
        command(*args, trigger=trigger, uploads=uploads, **kwargs)

    for option in reversed(_OPTIONS):
        with_trigger = option(with_trigger)
    return with_trigger


def inputs_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return inputs by what `-i NAME=TEXT` and `-i NAME:=JSON` say."""
    return dict(_pair(pair) for pair in pairs)


def files_of(texts: tuple[str, ...], uploads: Uploads) -> dict[str, Any]:
    """Return inputs by what `--file NAME=PATH` says; a name that is there several times gets a list.

    Args:
        texts: What it says.
        uploads: Gets the files that are too large to travel inside a value.

    Raises:
        UsageError: A file cannot be read.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise UsageError(f"--file {text}", "a file is written NAME=PATH")
        value_of = folder_value if os.path.isdir(path) else _file_value
        found.setdefault(name, []).append(value_of(Path(path), uploads))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _file_value(path: Path, uploads: Uploads) -> dict[str, Any]:
    from caroni_edge.objects.objects import SIZE_MAX_BYTES  # noqa: PLC0415
    from caroni_edge.values.carried import FILE_MAX_BYTES, NotCarried, basename_of, file_value  # noqa: PLC0415

    where = f"--file {path}"
    try:
        with path.open("rb") as file:
            size, data = os.fstat(file.fileno()).st_size, file.read(FILE_MAX_BYTES + 1)
            if size > SIZE_MAX_BYTES:
                raise UsageError(where, f"it has {size} bytes, and a file may have {SIZE_MAX_BYTES}")
            value = _object_value(file, path, uploads) if len(data) > FILE_MAX_BYTES else file_value(path.name, data)
    except OSError as error:
        raise UsageError(where, f"it cannot be read: {error.strerror}") from None
    try:
        basename_of(value)
    except NotCarried as problem:
        raise UsageError(where, str(problem)) from None
    return value


def _object_value(file: BinaryIO, path: Path, uploads: Uploads) -> dict[str, Any]:
    from caroni_edge.objects.taking import taken_of  # noqa: PLC0415
    from caroni_edge.values.carried import object_value  # noqa: PLC0415

    taken = taken_of(file)
    uploads[taken.object] = path
    return object_value(path.name, taken.object, taken.sha1)


def _trigger(
    template: str, inputs: dict[str, Any], workflow: str | None, priority: int, labels: dict[str, str]
) -> "Trigger":
    from caroni_edge.base.chance import SystemChance  # noqa: PLC0415
    from caroni_edge.protocol.codec import encode  # noqa: PLC0415
    from caroni_edge.protocol.triggers import TRIGGER_LIMIT_BYTES, Trigger  # noqa: PLC0415

    workflow = workflow or SystemChance().new_id()
    check_segment("--id", workflow)
    trigger = Trigger(template=template, inputs=inputs, id=workflow, priority=priority, labels=labels)
    if (size_bytes := len(encode(trigger))) > TRIGGER_LIMIT_BYTES:
        what = f"the trigger would have {size_bytes} bytes, and {TRIGGER_LIMIT_BYTES} are allowed"
        raise UsageError("inputs", what, "Pass a URL, or a path that both hosts know.")
    return trigger


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    from caroni_edge.protocol.labels import read_labels  # noqa: PLC0415

    try:
        return read_labels(texts)
    except ValueError as error:
        raise UsageError("--label", str(error)) from None


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.rstrip(":"):
        raise UsageError(f"-i {text}", "an input is written NAME=TEXT or NAME:=JSON")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError as error:
        raise UsageError(f"-i {text}", f"what follows := is no JSON ({error})", "Use NAME=TEXT for a text.") from None


def _file(path: Path) -> dict[str, Any]:
    from caroni_edge.documents.documents import load  # noqa: PLC0415

    document = load(path)
    if not isinstance(document.value, dict):
        raise UsageError(document.where(), "inputs are a mapping of names to values")
    return document.value
