"""What expressions see of files beside what their values say: `loadContents`, `loadListing` (CWL v1.2)."""

from collections.abc import Mapping
from typing import Any

from caroni_edge.manager.templates.plan import FileUse, PlanStep
from caroni_edge.values.carried import FILE_MAX_BYTES, NotCarried, bytes_of, called, is_directory, is_object
from caroni_edge.values.files import FILE_NAMES

_NO_LISTING = "no_listing"


def loaded(step: PlanStep, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs of a step as its expressions see them.

    Raises:
        NotCarried: One asks for what is in a file or directory that is not part of its value.
    """
    uses = {each.name: each.files for each in step.inputs if each.files is not None}
    if not uses:
        return values
    found = dict(values)
    for name, use in uses.items():
        try:
            found[name] = _loaded(use, found.get(name))
        except NotCarried as problem:
            raise NotCarried(f"input {name}: {problem}") from None
    return found


def _loaded(use: FileUse, value: Any) -> Any:
    match value:
        case list():
            return [_loaded(use, each) for each in value]
        case {"class": name} if name in FILE_NAMES:
            return _with_listing(use, value) if is_directory(value) else _with_contents(use, value)
        case dict():
            return {key: _loaded(use.fields[key], each) if key in use.fields else each for key, each in value.items()}
    return value


def _with_contents(use: FileUse, value: dict[str, Any]) -> dict[str, Any]:
    if not use.load_contents:
        return value
    if is_object(value.get("location")):
        raise NotCarried(f'"loadContents" asks for {_called(value)}, which is {_TOO_LARGE}')
    try:
        return {**value, "contents": bytes_of(value).decode()}
    except UnicodeDecodeError:
        raise NotCarried(f'"loadContents" asks for {_called(value)}, which is no text') from None


def _with_listing(use: FileUse, value: dict[str, Any]) -> dict[str, Any]:
    if use.load_listing not in (None, _NO_LISTING) and is_object(value.get("location")):
        raise NotCarried(f'"loadListing" asks for {_called(value)}, which is {_TOO_LARGE}')
    return value


def _called(value: dict[str, Any]) -> str:
    return f"what is in {called('', value)}"


_TOO_LARGE = f"larger than {FILE_MAX_BYTES >> 10} KiB: it lies with agents, and no expression can look into it"
