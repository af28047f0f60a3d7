"""Values of files and directories as they travel: small ones are in the value itself, as literals of CWL.

A text is in `contents`; what is no text, or would take more room so, is in a `data:` URI (RFC 2397) as `location`; of a
directory a `listing` has all that is in it. Any program can read that without asking anybody for the bytes. A larger
one is an object, which its `location` names: `caroni:sha256:…`; whoever has its bytes is not said in the value.
"""

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard
from urllib.parse import unquote

from caroni_edge.objects.objects import SIZE_MAX_BYTES, Object, ObjectId, parse_id, sha256_of
from caroni_edge.values.directories import DEPTH_MAX, FILES_MAX, LISTING_MAX_BYTES, NAME_MAX_BYTES, why_no_name
from caroni_edge.values.files import DIRECTORY, FILE_NAMES, FileType, file_in
from caroni_edge.values.json import canonical, json_objects_in, shown
from caroni_edge.values.large import CARONI, is_large, mismatch_of
from caroni_edge.values.remote import NoAddress, check_remote, is_remote, name_in
from caroni_edge.values.types import Array, Record, Type, Union

FILE_MAX_BYTES = 16 * 1024
"""No larger file travels inside a value."""
SECONDARY_MAX = 1000
"""So many files may belong to one, those of its own secondary files too."""

_UNNAMED = {"File": "file", DIRECTORY: "directory"}
"""The names of files and directories whose values give none."""

_DATA, _BASE64 = "data:", ";base64,"
_SHA1 = "sha1$"
LOCATION = f"{CARONI}sha256:"
"""How the location of each object begins."""
_TOO_LARGE = f"and no more than {FILE_MAX_BYTES >> 10} KiB travel inside a value"


class NotCarried(ValueError):
    """A File value does not hold its file, or not rightly; the message says why, for people."""


def misfit_of(kind: Type, value: object, *, objects: bool = False, remote: bool | None = None) -> str | None:
    """Return why a value cannot be given where this type is asked for, in words; None when it can.

    It must have the type, and each file in it must travel with it.

    Args:
        kind: The type.
        value: Any value.
        objects: Whether a file may also be an object: somebody knows then where it lies.
        remote: Whether a file may lie at an http or https address; None: where it may be an object.
    """
    is_remote_served = objects if remote is None else remote
    wrong = mismatch_of(kind, value) if objects else kind.mismatch(value)
    if wrong is None and isinstance(value, dict | list) and file_in(kind) is not None:
        try:
            with_files(kind, value, lambda _, each: _checked(each, objects=objects, remote=is_remote_served))
        except NotCarried as problem:
            wrong = str(problem)
    return wrong


def with_files(kind: Type, value: Any, change: Callable[[FileType, Any], Any]) -> Any:
    """Return a value with each part that is to be a file or a directory, by its type, replaced by what `change` makes.

    Args:
        kind: The type.
        value: Any value.
        change: Gets such a part, and its type.
    """
    if value is None or file_in(kind) is None:
        return value
    match kind:
        case FileType():
            return change(kind, value)
        case Array() if isinstance(value, list):
            return [with_files(kind.items, item, change) for item in value]
        case Record() if isinstance(value, dict):
            kinds = dict(kind.fields)
            return {
                name: with_files(kinds[name], item, change) if name in kinds else item for name, item in value.items()
            }
        case Union():
            member = _member(kind, value)
            return value if member is None else with_files(member, value, change)
    return value


def _member(kind: Union, value: Any) -> Type | None:
    """Return the member that a value has; where it has none yet, the one that it can be meant for."""
    fitting = next((each for each in kind.members if each.fits(value)), None)
    if fitting is not None:
        return fitting
    shapes: dict[type, type[Type]] = {list: Array, str: FileType}
    is_file = isinstance(value, dict) and value.get("class") in FILE_NAMES
    shape = FileType if is_file else shapes.get(type(value), Record)
    return next((each for each in kind.members if isinstance(each, shape) and file_in(each)), None)


def file_value(basename: str, data: bytes) -> dict[str, Any]:
    """Return the value of a file that has these bytes; there are no more of them than `FILE_MAX_BYTES`."""
    value = {"class": "File", "basename": basename, "size": len(data), "checksum": _sha1(data)}
    location = f"{_DATA}{_BASE64}{base64.b64encode(data).decode()}"
    try:
        contents = data.decode()
    except UnicodeDecodeError:
        return {**value, "location": location}
    if len(canonical(contents)) > len(location):
        return {**value, "location": location}
    return {**value, "contents": contents}


def object_value(basename: str, found: Object, sha1: str) -> dict[str, Any]:
    """Return the value of a file that is an object."""
    checksum, location = f"{_SHA1}{sha1}", f"{CARONI}{found.id}"
    return {"class": "File", "basename": basename, "size": found.size, "checksum": checksum, "location": location}


def directory_value(basename: str, listing: Object) -> dict[str, Any]:
    """Return the value of a directory that is an object: the list of its files."""
    return {"class": DIRECTORY, "basename": basename, "size": listing.size, "location": f"{CARONI}{listing.id}"}


def object_of(value: Mapping[str, Any]) -> Object | None:
    """Return the object that a value, or its file or directory, is; None for one of another kind.

    Raises:
        NotCarried: Its size is not said, or is none.
    """
    location, size = value.get("location"), value.get("size")
    name = parse_id(location.removeprefix(CARONI)) if is_object(location) else None
    if name is None:
        return None
    most = LISTING_MAX_BYTES if is_directory(value) else SIZE_MAX_BYTES
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= most:
        raise NotCarried(f'the "size" of {shown(location)} is missing, or cannot be {shown(size)}')
    return Object(sha256_of(name), size)


def is_directory(value: Mapping[str, Any]) -> bool:
    """Tell whether a value is that of a directory."""
    return value.get("class") == DIRECTORY


def called(name: str, value: Mapping[str, Any]) -> str:
    """Return how people hear of a file, a directory or a value that is an object."""
    if is_large(value):
        return f"a value of {value['size']} bytes"
    named = shown(value.get("basename", name))
    return f"the directory {named}" if is_directory(value) else f"the file {named} ({value.get('size')} bytes)"


def is_object(location: object) -> TypeGuard[str]:
    """Tell whether a location names an object."""
    return isinstance(location, str) and location.startswith(CARONI)


def objects_in(value: object) -> dict[ObjectId, dict[str, Any]]:
    """Return the objects that stand anywhere in a value, each with the value of such a file or directory.

    What a directory names is not among them.
    """
    found: dict[ObjectId, dict[str, Any]] = {}
    for fields in json_objects_in(value):
        named = fields.get("class") in FILE_NAMES or is_large(fields)
        location = fields.get("location") if named else None
        if is_object(location) and (name := parse_id(location.removeprefix(CARONI))) is not None:
            found[name] = fields
    return found


def bytes_of(value: dict[str, Any]) -> bytes:
    """Return what is in the file that a value carries.

    Raises:
        NotCarried: It carries none, or is not right.
    """
    location, contents = value.get("location"), value.get("contents")
    if location is None and value.get("path") is None and isinstance(contents, str):
        data = contents.encode()
    elif isinstance(location, str) and location.startswith(_DATA):
        data = _from_data(location)
    else:
        where = location if location is not None else value.get("path")
        if is_remote(where):
            said = f"a file that lies elsewhere ({shown(where)}) is fetched by agents alone, for their jobs"
            raise NotCarried(f"{said}: get it from there, or give what is in it, up to {FILE_MAX_BYTES >> 10} KiB")
        raise NotCarried(
            f"a file that lies elsewhere ({shown(where)}) is not served yet: give what is in it as {{class: File, "
            f"basename: …, contents: …}}, up to {FILE_MAX_BYTES >> 10} KiB, or pass a URL or a path that both hosts "
            "know, as a string"
        )
    if len(data) > FILE_MAX_BYTES:
        raise NotCarried(f"the file has {len(data)} bytes, {_TOO_LARGE}")
    if _given(value, "size", len(data)) != len(data):
        raise NotCarried(f'the file has {len(data)} bytes, and its "size" is {shown(value["size"])}')
    if _given(value, "checksum", _sha1(data)) != _sha1(data):
        raise NotCarried(f'what is in the file does not have the "checksum" {shown(value["checksum"])}')
    return data


def _from_data(location: str) -> bytes:
    """Return what a `data:` URI holds."""
    _, mark, text = location.partition(_BASE64)
    if not mark:
        raise NotCarried('a "location" that begins with data: holds base64: data:;base64,…')
    if len(text) > FILE_MAX_BYTES * 2:  # of more text than that nothing is decoded
        raise NotCarried(f"the file has some {len(text) * 3 // 4} bytes, {_TOO_LARGE}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotCarried('what stands in "location" after base64, is no base64') from None


def basename_of(value: dict[str, Any]) -> str:
    """Return the name that the file or the directory of a value is to have.

    Raises:
        NotCarried: None can have the name that it gives.
    """
    name = _given(value, "basename", _unnamed(value))
    if not why_no_name(name):
        return str(name)
    if isinstance(name, str) and len(name.encode("utf-8", "surrogatepass")) > NAME_MAX_BYTES:
        raise NotCarried(f'"basename" has more than {NAME_MAX_BYTES} bytes')
    raise NotCarried(f'"basename" is the name of a file, without a path, and not {shown(name)}')


def _unnamed(value: dict[str, Any]) -> str:
    """Return the name of a file or a directory whose value gives none."""
    location = value.get("location")
    named = name_in(location) if is_remote(location) else ""
    return named if named and not why_no_name(named) else _UNNAMED.get(value.get("class", ""), "file")


def secondary_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the values of the files and directories that belong to a file, without those that belong to them.

    Raises:
        NotCarried: Something else stands there.
    """
    return _values(value, "secondaryFiles")


def all_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the value of a file or a directory, and of all that belong to it: they lie beside each other.

    Raises:
        NotCarried: They are too many, have the same name, or are no files.
    """
    found = [value]
    for each in found:  # those that belong to one are looked at behind what is there already
        found += secondary_of(each)
        if len(found) > SECONDARY_MAX:
            raise NotCarried(f"more than {SECONDARY_MAX} files belong to one")
    _check_names(found, "that belong together")
    return found


def tree_of(value: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what lies where a file or a directory of a value is put: paths and values, a folder before what is in it.

    What is in a directory that is an object is not among it.

    Raises:
        NotCarried: It cannot lie there so.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    todo = [("", all_of(value))]
    for folder, beside in todo:  # what is inside is looked at behind what is there already
        for each in beside:
            path = f"{folder}{basename_of(each)}"
            found.append((path, each))
            if is_directory(each) and not is_object(each.get("location")):
                if path.count("/") >= DEPTH_MAX:
                    raise NotCarried(f"{shown(path)} lies in more than {DEPTH_MAX} folders")
                todo.append((f"{path}/", _listed(each)))
        if len(found) > FILES_MAX:
            raise NotCarried(f"more than {FILES_MAX} files and folders belong to one")
    return found


def _listed(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the values of all that lies in a directory."""
    if not isinstance(value.get("listing"), list):
        where = value.get("location") if value.get("location") is not None else value.get("path")
        raise NotCarried(
            f"a directory that lies elsewhere ({shown(where)}) is not served yet: give what is in it as "
            "{class: Directory, basename: …, listing: […]}, or pass a URL or a path that both hosts know, as a string"
        )
    found = [each for item in _values(value, "listing") for each in all_of(item)]
    if found:
        _check_names(found, "in one directory")
    return found


def _values(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the values of files and directories that stand in a list of a value."""
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and each.get("class") in FILE_NAMES for each in found
    ):
        raise NotCarried(f'"{key}" is a list of files and directories, each with class: File or class: Directory')
    return found


def _check_names(values: list[dict[str, Any]], where: str) -> None:
    name, count = Counter(map(basename_of, values)).most_common(1)[0]
    if count > 1:
        raise NotCarried(f"two files {where} are both called {shown(name)}")


def path_of(location: str) -> str | None:
    """Return the path that a location means on a host: a `file:` URI, or a reference without a scheme; else None."""
    path = location.removeprefix("file://")
    return None if "://" in path else unquote(path)


def _checked(value: dict[str, Any], *, objects: bool, remote: bool) -> dict[str, Any]:
    """Return the value of a file or a directory that travels with it, or raise what is wrong."""
    for _, each in tree_of(value):
        if objects and object_of(each) is not None:
            continue
        if remote and is_remote(each.get("location")) and not is_directory(each):
            _check_remote(each)
            continue
        if not is_directory(each):
            bytes_of(each)
        elif is_object(each.get("location")):
            raise NotCarried(f"the directory {shown(each.get('location'))} lies elsewhere")
    return value


def _check_remote(value: dict[str, Any]) -> None:
    try:
        check_remote(value)
    except NoAddress as problem:
        raise NotCarried(str(problem)) from None


def _given(value: dict[str, Any], key: str, otherwise: Any) -> Any:
    """Return what a value says; null says as much as nothing."""
    found = value.get(key)
    return otherwise if found is None else found


def _sha1(data: bytes) -> str:
    return _SHA1 + hashlib.sha1(data, usedforsecurity=False).hexdigest()
