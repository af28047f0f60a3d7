"""What is read of large lists outside of the loop: how many items they have, some of these, or what they merge into."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from caroni_edge.manager.workflows.links import Combining, Unfit, nothing_found, too_many_found
from caroni_edge.objects.disk import Damaged, NoRoom
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.values.carried import called, object_of
from caroni_edge.values.json import canonical
from caroni_edge.values.large import (
    LARGE_MAX_BYTES,
    LARGE_MIN_BYTES,
    filled,
    is_large,
    large_in,
    large_value,
    may_be_list,
    read_large,
)
from caroni_edge.values.lists import ANYTHING, NoList, item_type
from caroni_edge.values.parsing import TypeProblem, parse_type

PIECE_MAX_BYTES = 1 << 20
"""Items are read until they have so many bytes together."""


class Reading(NamedTuple):
    """What is to be read of the large lists of a scattered step.

    Attributes:
        workflow: Seq of its workflow.
        step: The step.
        lists: What stands in the place of each list, by its input.
        begin: The first instance that items are for.
        rows: For each instance from there on the positions of its items in the lists; none: they are counted alone.
        merge: What is to be merged into one list, in the place of that; None for nothing.
    """

    workflow: int
    step: int
    lists: Mapping[str, dict[str, Any]]
    begin: int = 0
    rows: tuple[tuple[int, ...], ...] = ()
    merge: "Merge | None" = None


class Merge(NamedTuple):
    """What is to become one value: a list (`merge_flattened`), perhaps without nulls, or one item of it (`pickValue`).

    Attributes:
        where: What it is for, for people.
        name: The input that it flows to, or the output that it is.
        due: The values, and how they are put together.
        type: That a list is to have, as CWL has it in JSON.
        is_output: It is for an output.
    """

    where: str
    name: str
    due: Combining
    type: Any
    is_output: bool = False


class Items(NamedTuple):
    """What was read.

    Attributes:
        workflow: As it was asked.
        step: As it was asked.
        begin: As it was asked.
        lengths: How many items each list has.
        instances: For so many there are items.
        items: By input and position.
        merged: The input or output whose values were merged, and what they have become; None where nothing was.
        made: The objects that large items have become; they lie here, and no row says so yet.
        giver: Under which name they were brought.
        problem: Why the step cannot be scattered, for people.
        lost: An object that was to lie here, and does not.
        no_room: Why large items cannot lie here now, for people.
        is_output: What was merged is for an output.
    """

    workflow: int
    step: int
    begin: int = 0
    lengths: Mapping[str, int] = MappingProxyType({})
    instances: int = 0
    items: Mapping[str, Mapping[int, Any]] = MappingProxyType({})
    merged: tuple[str, Any] | None = None
    made: tuple[Object, ...] = ()
    giver: str = ""
    problem: str | None = None
    lost: ObjectId | None = None
    no_room: str | None = None
    is_output: bool = False


AskList = Callable[[Reading], object]
"""Has lists taken apart elsewhere, and returns at once; what is asked for may be lost with the process."""


def no_lists(reading: Reading) -> None:
    """Read nothing, where nobody does: a step that asks waits for a process that does."""


class Texts(Protocol):
    """The text of large lists, and where objects come to lie."""

    def bounds(self, found: Object, spec: Any) -> Sequence[int]:
        """Return where each item of a list of this type begins and ends in its text.

        Raises:
            NoList: It is none.
            Damaged: It does not lie here.
        """

    def read(self, found: Object, begin: int, end: int) -> bytes:
        """Return some of its text.

        Raises:
            Damaged: It does not lie here.
        """

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        """Let bytes lie here as objects; return under which name they were brought, and what they are.

        Raises:
            NoRoom: There is none.
        """


def take_apart(reading: Reading, texts: Texts) -> Items:
    """Read what is asked for."""
    asked = Items(reading.workflow, reading.step, reading.begin)
    if reading.merge is not None:
        return _merged(asked._replace(is_output=reading.merge.is_output), reading.merge, texts)
    name = ""
    try:
        bounds: dict[str, Sequence[int]] = {}
        for name, value in reading.lists.items():
            bounds[name] = texts.bounds(_object_of(value), value["type"])
        asked = asked._replace(lengths={name: len(found) // 2 for name, found in bounds.items()})
        return _with_items(asked, reading, texts, bounds)
    except (NoList, TypeProblem) as problem:
        return asked._replace(problem=f"input {name}: {called(name, reading.lists[name])}: {problem}")
    except Damaged as damaged:
        return asked._replace(lost=damaged.name)
    except NoRoom as problem:
        return asked._replace(no_room=str(problem))


def _with_items(asked: Items, reading: Reading, texts: Texts, bounds: Mapping[str, Sequence[int]]) -> Items:
    found: dict[str, dict[int, bytes]] = {name: {} for name in reading.lists}
    size = count = 0
    for row in reading.rows:
        for (name, value), at in zip(reading.lists.items(), row, strict=True):
            if at not in found[name]:
                begin, end = bounds[name][2 * at : 2 * at + 2]
                found[name][at] = texts.read(_object_of(value), begin, end)
                size += end - begin
        count += 1
        if size >= PIECE_MAX_BYTES:
            break
    items: dict[str, dict[int, Any]] = {}
    large: list[tuple[str, int]] = []
    for name, texts_of_items in found.items():
        items[name] = {at: read_large(text) for at, text in texts_of_items.items()}
        large += [(name, at) for at, text in texts_of_items.items() if len(text) > LARGE_MIN_BYTES]
    if not large:
        return asked._replace(instances=count, items=items)
    giver, made = texts.make([canonical(items[name][at]).encode() for name, at in large])
    for (name, at), each in zip(large, made, strict=True):
        items[name][at] = large_value(each, item_type(parse_type(reading.lists[name]["type"])))
    return asked._replace(instances=count, items=items, made=made, giver=giver)


def _merged(asked: Items, merge: Merge, texts: Texts) -> Items:
    """Make one value of several."""
    word = merge.due.link.merge or merge.due.link.pick
    try:
        if merge.due.link.pick in ("first_non_null", "the_only_non_null"):
            item = _the_one(merge.due, texts)
            if item.text is None or len(item.text) <= LARGE_MIN_BYTES:
                return asked._replace(merged=(merge.name, item.read))
            kind, contents = item.type, item.text  # a part of what is canonical JSON is such, too
        else:
            kind, contents = merge.type, _list_of(merge.due, texts)
        giver, made = texts.make([contents])
        asked = asked._replace(giver=giver, made=made)
        if kind is merge.type:
            texts.bounds(asked.made[0], kind)  # it has that type
        return asked._replace(merged=(merge.name, large_value(asked.made[0], parse_type(kind))))
    except Unfit as unfit:
        return asked._replace(problem=f"{merge.where}: {unfit}")
    except (NoList, TypeProblem) as problem:
        return asked._replace(problem=f"{merge.where}: {word}: {problem}")
    except Damaged as damaged:
        return asked._replace(lost=damaged.name)
    except NoRoom as problem:
        return asked._replace(no_room=str(problem))


class _Item(NamedTuple):
    """An item of what is put together.

    Attributes:
        value: The item, where it is no part of a large value.
        text: Otherwise its text.
        type: The type that it was said to have then, as CWL has it in JSON; it is not null.
    """

    value: Any = None
    text: bytes | None = None
    type: Any = ANYTHING

    @property
    def is_null(self) -> bool:
        """Whether it is null."""
        return self.value is None if self.text is None else self.text == b"null"

    @property
    def read(self) -> Any:
        """The item as a value."""
        return self.value if self.text is None else read_large(self.text)


def _the_one(due: Combining, texts: Texts) -> _Item:
    """Return the item that is picked."""
    pick = str(due.link.pick)
    found, count = None, 0
    for item in (item for value in due.values for item in _items(value, texts) if not item.is_null):
        found, count = found or item, count + 1
        if pick == "first_non_null":
            break
    if found is None:
        raise Unfit(nothing_found(pick))
    if count > 1:
        raise Unfit(too_many_found(count))
    return found


def _list_of(due: Combining, texts: Texts) -> bytes:
    """Return the text of the list that values become, with or without nulls."""
    found = bytearray(b"[")
    for value in due.values:
        for item in _items(value, texts, apart=due.link.pick is not None):
            if item.is_null and due.link.pick is not None:
                continue
            found += b"," if len(found) > 1 else b""
            found += _text_of(item.value, texts) if item.text is None else item.text
            if len(found) >= LARGE_MAX_BYTES:
                raise NoList(f"together they have more than the {LARGE_MAX_BYTES} bytes that are allowed")
    return bytes(found + b"]")


def _items(value: Any, texts: Texts, *, apart: bool = True) -> Iterator[_Item]:
    """Yield the items that a value adds to a list: those of a list, or itself.

    Args:
        value: The value.
        texts: Have the text of large values.
        apart: One after the other; otherwise all items of a large list are one text, with the commas between.
    """
    if not is_large(value):
        yield from (_Item(each) for each in (value if isinstance(value, list) else [value]))
        return
    found = _object_of(value)
    text = texts.read(found, 0, found.size)
    if not may_be_list(value) or not text.startswith(b"["):
        yield _Item(text=text, type=value["type"])
        return
    bounds = texts.bounds(found, value["type"])
    if not apart and bounds:
        yield _Item(text=text[bounds[0] : bounds[-1]])
        return
    kind = item_type(parse_type(value["type"])).required.spec
    for number in range(0, len(bounds), 2):
        yield _Item(text=text[bounds[number] : bounds[number + 1]], type=kind)


def _text_of(value: Any, texts: Texts) -> bytes:
    """Return the text of a value, with what is in objects in their places.

    Raises:
        NoList: What is in one is no JSON.
        Damaged: One does not lie here.
    """
    read = {}
    for each in large_in(value):
        found = _object_of(each)
        try:
            read[each["location"]] = read_large(texts.read(found, 0, found.size))
        except ValueError as problem:
            raise NoList(str(problem)) from None
    return canonical(filled(value, read) if read else value).encode()


def _object_of(value: dict[str, Any]) -> Object:
    found = object_of(value)
    assert found is not None
    return found
