"""What expressions see beside what values say: what is in large values, and in files (`loadContents`, `loadListing`).

What is an object lies with agents. So an expression that looks into one waits until this manager has it (`Looks`).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from caroni_edge.javascript.texts import JavaScript, Reference, Text
from caroni_edge.manager.store.looks import LookRow
from caroni_edge.manager.templates.expressions import references
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.objects.disk import Damaged
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.values.carried import NotCarried, bytes_of, called, is_directory, is_object, object_of, objects_in
from caroni_edge.values.directories import NoDirectory
from caroni_edge.values.directories import read as read_directory
from caroni_edge.values.files import DIRECTORY, FILE_NAMES
from caroni_edge.values.json import as_text
from caroni_edge.values.large import filled, is_large, large_in, read_large
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.remote import is_remote

EXPRESSION_MAX_BYTES = 1 << 20
"""An expression looks into large values of so many bytes together; what is more is scattered over."""
CONTENTS_MAX_BYTES = 64 << 10
"""`loadContents` (CWL v1.2) reads files of this size and no larger ones."""

_NO_LISTING, _DEEP = "no_listing", "deep_listing"
_INPUTS = re.compile(
    r"""\binputs\b(?:\s*\.\s*(?P<name>[A-Za-z_$][\w$]*)|\[\s*(?P<quote>["'])(?P<key>[^"'\\]*)(?P=quote)\s*\])?"""
)
_HIDDEN = re.compile(r"\\u|\b(?:eval|Function|globalThis|this|with)\b")
_SELF = re.compile(r"\bself\b")


class Looked(NamedTuple):
    """An object that is looked into: the input that it belongs to, and what stands in its place in the value."""

    name: str
    value: dict[str, Any]


class LookDue(Exception):
    """Expressions look into objects, and nobody was given who has these."""

    @property
    def objects(self) -> Mapping[ObjectId, Looked]:
        """The objects."""
        found: Mapping[ObjectId, Looked] = self.args[0]
        return found


LookInside = Callable[[Mapping[ObjectId, Looked]], Mapping[ObjectId, bytes]]
"""Returns what is in objects.

Raises:
    LookDue: It has them not.
"""


def names_seen(step: PlanStep, text: Text, own: str | None, library: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the inputs of a step that a text may look into.

    Args:
        step: The step.
        text: The text.
        own: The input that `self` is; None for none.
        library: What its JavaScript sees beside the inputs.
    """
    read = _reads(text, library)
    if "inputs" in read:
        return frozenset(each.name for each in step.inputs)
    named = frozenset(each.removeprefix("inputs.") for each in read if each != "self")
    return named | {own} if own is not None and "self" in read else named


@lru_cache(maxsize=1024)
def _reads(text: Text, library: tuple[str, ...]) -> frozenset[str]:
    """Return what a text reads, as `references` does; of JavaScript by what is written in it."""
    plain = tuple(part for part in text.parts if not isinstance(part, JavaScript))
    seen = set(references(replace(text, parts=plain)))
    if text.scripts and any(search(each) for each in library for search in (_INPUTS.search, _SELF.search)):
        return frozenset({"inputs"})
    for script in text.scripts:
        if _HIDDEN.search(script.code):
            return frozenset({"inputs"})
        seen |= {"self"} if _SELF.search(script.code) else set()
        names = (found["name"] or found["key"] for found in _INPUTS.finditer(script.code))
        seen |= {"inputs" if name is None else f"inputs.{name}" for name in names}
    return frozenset(seen)


def is_passed_on(text: Text) -> bool:
    """Tell whether a text gives one whole input, which so flows on as it is."""
    match text.parts:
        case (Reference(root="inputs", segments=(str(),)) | Reference(root="self", segments=()),):
            return True
    return False


def looked_into(
    step: PlanStep, values: Mapping[str, Any], names: Collection[str], look: LookInside | None, *, passes: bool = False
) -> Mapping[str, Any]:
    """Return the inputs of a step as an expression sees them.

    Args:
        step: The step.
        values: Its inputs.
        names: Those of them that it looks into.
        look: Has what is in objects; None where nobody does.
        passes: The expression gives one of them as it is, so that nobody need look into an object.

    Raises:
        NotCarried: It looks into what no expression is shown.
        LookDue: It looks into objects that nobody has here.
    """
    if passes and any(objects_in(values.get(name)) for name in names):
        return values
    uses = {each.name: each.files for each in step.inputs if each.files is not None}
    wanted: dict[ObjectId, Looked] = {}
    for name in [name for name in values if name in names]:
        try:
            wanted |= {found: Looked(name, each) for found, each in _wanted(uses.get(name), values[name])}
        except NotCarried as problem:
            raise NotCarried(f"input {name}: {problem}") from None
    _check_size(wanted)
    if wanted and look is None:
        raise LookDue(wanted)
    contents = look(wanted) if wanted and look is not None else {}
    found = dict(values)
    for name in [name for name in values if name in names]:
        try:
            found[name] = _seen(uses.get(name), values[name], contents)
        except NotCarried as problem:
            raise NotCarried(f"input {name}: {problem}") from None
    return found


def _check_size(wanted: Mapping[ObjectId, Looked]) -> None:
    size = 0
    for each in [each for each in wanted.values() if is_large(each.value) or is_directory(each.value)]:
        size += each.value["size"]
        if size > EXPRESSION_MAX_BYTES:
            most = f"no expression looks into more than {EXPRESSION_MAX_BYTES >> 10} KiB together"
            raise NotCarried(f"an expression looks into input {each.name}, {called(each.name, each.value)}: {most}")


def _wanted(use: FileUse | None, value: Any) -> Iterator[tuple[ObjectId, dict[str, Any]]]:
    """Yield the objects in a value that an expression looks into."""
    for each in large_in(value):
        yield from objects_in(each).items()
    for inner, each in _files_in(use, value):
        if is_directory(each):
            if inner.load_listing not in (None, _NO_LISTING) and (found := object_of(each)) is not None:
                yield found.id, each
        elif inner.load_contents and is_remote(each.get("location")):
            raise NotCarried(f"{_asks(each)}, which agents alone fetch from where it lies")
        elif inner.load_contents and is_object(each.get("location")):
            found = object_of(each)
            if found is not None and found.size > CONTENTS_MAX_BYTES:
                raise NotCarried(f"{_asks(each)}, which is larger than {CONTENTS_MAX_BYTES >> 10} KiB (CWL v1.2)")
            if found is not None:
                yield found.id, each


def _files_in(use: FileUse | None, value: Any) -> Iterator[tuple[FileUse, dict[str, Any]]]:
    """Yield the files and directories in a value, with what is said of them."""
    match value:
        case list() if use is not None:
            for each in value:
                yield from _files_in(use, each)
        case {"class": name} if name in FILE_NAMES and use is not None:
            yield use, value
        case dict() if use is not None:
            for key, inner in use.fields.items():
                yield from _files_in(inner, value.get(key))


def _seen(use: FileUse | None, value: Any, contents: Mapping[ObjectId, bytes]) -> Any:
    read = {each["location"]: _read(each, contents) for each in large_in(value)}
    return _loaded(use, filled(value, read) if read else value, contents)


def _read(value: dict[str, Any], contents: Mapping[ObjectId, bytes]) -> Any:
    """Return the value that an object is, and that it was said to be."""
    (name,) = objects_in(value)
    try:
        found = read_large(contents[name])
        words = parse_type(value["type"]).mismatch(found)
    except (TypeProblem, ValueError) as problem:
        words = str(problem)
    if words is not None:
        raise NotCarried(f"{called('', value)}: {words}")
    return found


def _loaded(use: FileUse | None, value: Any, contents: Mapping[ObjectId, bytes]) -> Any:
    match value:
        case list() if use is not None:
            return [_loaded(use, each, contents) for each in value]
        case {"class": name} if name in FILE_NAMES and use is not None and is_directory(value):
            found = None if use.load_listing in (None, _NO_LISTING) else object_of(value)
            return value if found is None else {**value, "listing": _listing(use, value, contents[found.id])}
        case {"class": name} if name in FILE_NAMES:
            is_asked = use is not None and use.load_contents and not is_directory(value)
            return {**value, "contents": _text_of(value, contents)} if is_asked else value
        case dict() if use is not None:
            fields = use.fields
            return {key: _loaded(fields.get(key), each, contents) for key, each in value.items()}
    return value


def _text_of(value: dict[str, Any], contents: Mapping[ObjectId, bytes]) -> str:
    found = object_of(value)
    try:
        return (bytes_of(value) if found is None else contents[found.id]).decode()
    except UnicodeDecodeError:
        raise NotCarried(f"{_asks(value)}, which is no text") from None


def _listing(use: FileUse, value: Mapping[str, Any], data: bytes) -> list[dict[str, Any]]:
    """Return what is in a directory that is an object, for expressions: names and sizes, and no locations.

    What is in it flows on with it alone: only of the directory is it known who has it.
    """
    try:
        entries = read_directory(data)
    except NoDirectory as problem:
        raise NotCarried(f"{called('', value)}: {problem}") from None
    top: list[dict[str, Any]] = []
    folders = {"": top}
    for each in entries:
        names = each.path.removesuffix("/").split("/")
        for depth in range(1, len(names) + (each.object is None)):
            path, outer = "/".join(names[:depth]), "/".join(names[: depth - 1])
            if path not in folders:
                folders[path] = []
                folders[outer].append({"class": DIRECTORY, "basename": names[depth - 1], "listing": folders[path]})
        if each.object is not None:
            file = {"class": "File", "basename": names[-1], "size": each.object.size}
            folders["/".join(names[:-1])].append(file)
    if use.load_listing == _DEEP:
        return top
    return [{key: part for key, part in each.items() if key != "listing"} for each in top]


def _asks(value: dict[str, Any]) -> str:
    return f'"loadContents" asks for what is in {called("", value)}'


Read = Callable[[Object], bytes]
"""Returns what is in an object that lies here.

Raises:
    Damaged: It does not, or is not what its name says.
"""


def no_objects(found: Object) -> bytes:
    """Read nothing, as nothing lies here."""
    raise Damaged(found.id)


def reading(read: Read, known: Collection[Object]) -> LookInside:
    """Return what looks into some objects, reading each once.

    Args:
        read: Returns what is in an object.
        known: Those that are here.
    """
    here, contents = {each.id: each for each in known}, dict[ObjectId, bytes]()

    def look(wanted: Mapping[ObjectId, Looked]) -> Mapping[ObjectId, bytes]:
        if lacking := {name: each for name, each in wanted.items() if name not in here}:
            raise LookDue(lacking)
        for name in wanted.keys() - contents.keys():
            contents[name] = read(here[name])
        return contents

    return look


_KEPT = ("class", "basename", "location", "size", "type")


def look_rows(workflow: int, step: int, objects: Mapping[ObjectId, Looked]) -> list[LookRow]:
    """Return the rows of objects into which must be looked for a step, or for the outputs of a workflow (0)."""
    return [
        LookRow(
            workflow=workflow,
            step=step,
            object=name,
            size=each.value["size"],
            name=each.name,
            value=as_text({key: each.value[key] for key in _KEPT if key in each.value}),
        )
        for name, each in objects.items()
    ]
