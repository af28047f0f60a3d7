"""Files of `cwl-run`: those that its inputs name are taken along in their values, those of its outputs are written."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from caroni_edge.base.errors import UsageError
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.values.carried import (
    FILE_MAX_BYTES,
    NotCarried,
    basename_of,
    bytes_of,
    file_value,
    is_directory,
    is_object,
    path_of,
    tree_of,
)
from caroni_edge.values.files import FILE_NAMES
from caroni_edge.values.remote import NoAddress, parse_address, remote_in

_WHERE = ("path", "location")


_NOTHING = FileUse()


def taken_along(value: Any, folder: Path, use: FileUse | None = None) -> Any:
    """Return an input with what is in each file and directory that it names by a path.

    Args:
        value: The input.
        folder: Paths count from there.
        use: What the workflow says of the files: those that belong to them are looked for beside them.

    Raises:
        UsageError: One cannot be read, or is too large.
    """
    if isinstance(value, list):
        return [taken_along(each, folder, use) for each in value]
    if not isinstance(value, dict):
        return value
    use = use or _NOTHING
    found = {key: taken_along(each, folder, use.fields.get(key)) for key, each in value.items()}
    path = _path(found) if found.get("class") in FILE_NAMES else None
    if path is None:
        return found
    kept = {key: each for key, each in found.items() if key not in _WHERE}
    read = _read(folder / path, is_folder=is_directory(found))
    names = [each.name(read["basename"]) for each in use.secondary_files if each.is_served and not is_directory(found)]
    beside = [each for name in names if (each := (folder / path).with_name(name)).exists()]
    if beside:
        read["secondaryFiles"] = [_read(each, is_folder=each.is_dir()) for each in beside]
    return {**read, **kept}


def _path(value: dict[str, Any]) -> str | None:
    if isinstance(value.get("path"), str):
        return str(value["path"])
    location = value.get("location")
    if not isinstance(location, str) or location.startswith("data:") or is_object(location) or "listing" in value:
        return None
    return path_of(location)


def _read(path: Path, *, is_folder: bool) -> dict[str, Any]:
    try:
        if is_folder:
            listing = [_read(each, is_folder=each.is_dir()) for each in sorted(path.iterdir())]
            return {"class": "Directory", "basename": path.name, "listing": listing}
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(str(path), f"it cannot be read: {error.strerror}") from None
    if len(data) > FILE_MAX_BYTES:
        raise UsageError(
            str(path), f"it has more than {FILE_MAX_BYTES >> 10} KiB, and cwl-run takes no larger files along"
        )
    return file_value(path.name, data)


def hosts_of(value: Any) -> set[str]:
    """Return the hosts of the files at addresses in a value: who runs a workflow lets it ask them."""
    found = set()
    for each in remote_in(value):
        with suppress(NoAddress):  # the manager says what is wrong with it
            found.add(parse_address(each["location"]).authority)
    return found


def written(value: Any, folder: Path) -> Any:
    """Return outputs with their files and directories written into a folder; what lies there stays as it is.

    Raises:
        UsageError: One cannot be written.
    """
    if isinstance(value, list):
        return [written(each, folder) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in FILE_NAMES:
        return {key: written(each, folder) for key, each in value.items()}
    try:
        return _written(value, folder)
    except NotCarried:
        return value  # it is an object, whose bytes lie nowhere any more
    except OSError as error:
        raise UsageError(str(folder), f"nothing can be written there: {error.strerror}") from None


def _written(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    tree = tree_of(value)
    for _, each in tree:
        if is_object(each.get("location")):
            return value
    folder.mkdir(parents=True, exist_ok=True)
    top, number = folder, 0
    while any((top / path).exists() for path, _ in tree if "/" not in path):
        number += 1
        top = folder / str(number)
    top.mkdir(exist_ok=True)
    for path, each in tree:
        if is_directory(each):
            (top / path).mkdir()
        else:
            (top / path).write_bytes(bytes_of(each))
    return _told(value, top)


def _told(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = (folder / basename_of(value)).absolute()
    about = {"class": value["class"], "location": path.as_uri(), "path": str(path), "basename": path.name}
    if is_directory(value):
        return {**about, "listing": [_told(each, path) for each in value["listing"]]}
    data = file_value(path.name, bytes_of(value))
    found = {**about, "size": data["size"], "checksum": data["checksum"]}
    if others := value.get("secondaryFiles"):
        found["secondaryFiles"] = [_told(each, folder) for each in others]
    return {**found, **{key: value[key] for key in ("format",) if key in value}}
