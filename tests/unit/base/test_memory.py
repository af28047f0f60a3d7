"""Memory goes back with the transaction, to any point of it, whatever was done since."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.base.memory import Journal, Memory, MemoryDict, MemorySet
from caroni_edge.storage.database import StorageFailed, memory_database

KEYS = st.integers(0, 4)


class Sample(Memory):
    """One attribute, a dict and a set."""

    first = 0

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.number = 0
        self.dict: MemoryDict[int, int] = MemoryDict(journal)
        self.set: MemorySet[int] = MemorySet(journal)

    def seen(self) -> Any:
        return self.first, self.number, getattr(self, "late", None), dict(self.dict), set(self.set)


CHANGES: dict[str, Callable[[Sample, int], object]] = {
    "number": lambda sample, key: setattr(sample, "number", key),
    "class attribute": lambda sample, key: setattr(sample, "first", key),
    "new attribute": lambda sample, key: setattr(sample, "late", key),
    "set item": lambda sample, key: sample.dict.__setitem__(key, sample.dict.get(key, 0) + 1),
    "delete item": lambda sample, key: sample.dict.pop(key, None),
    "update dict": lambda sample, key: sample.dict.update({key: 7, key + 1: 8}),
    "clear dict": lambda sample, _key: sample.dict.clear(),
    "add": lambda sample, key: sample.set.add(key),
    "discard": lambda sample, key: sample.set.discard(key),
    "update set": lambda sample, key: sample.set.update({key, key + 1}),
    "intersect": lambda sample, key: sample.set.__iand__({key, key + 1}),
    "clear set": lambda sample, _key: sample.set.clear(),
}
DEEDS = st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), KEYS), max_size=12)


def do(sample: Sample, deeds: list[tuple[str, int]]) -> Any:
    for name, key in deeds:
        CHANGES[name](sample, key)
    return sample.seen()


@given(before=DEEDS, kept=DEEDS, undone=DEEDS, after=DEEDS)
def test_memory_goes_back_to_where_a_part_began(before: Any, kept: Any, undone: Any, after: Any) -> None:
    journal = Journal()
    sample = Sample(journal)
    at_first = do(sample, before)
    journal.begin()
    at_mark = do(sample, kept)
    mark = journal.mark()
    do(sample, undone)
    journal.go_back(mark)
    assert sample.seen() == at_mark
    do(sample, after)
    journal.go_back()
    journal.end()
    assert sample.seen() == at_first


@given(inside=DEEDS, outside=DEEDS)
def test_what_is_committed_and_what_happens_outside_of_transactions_stays(inside: Any, outside: Any) -> None:
    journal = Journal()
    sample = Sample(journal)
    journal.begin()
    do(sample, inside)
    journal.end()
    seen = do(sample, outside)
    journal.begin()
    journal.go_back()
    journal.end()
    assert sample.seen() == seen


@pytest.mark.parametrize("plain", [{}, [], set(), bytearray()])
def test_a_plain_container_is_refused(plain: object) -> None:
    sample = Sample(Journal())
    with pytest.raises(TypeError, match="number would not go back"):
        sample.number = plain  # type: ignore[assignment]


def test_a_savepoint_takes_memory_back_alone() -> None:
    database = memory_database("agents")
    sample = Sample(database.journal)
    with database.immediate():
        sample.number = 1
        with suppress(ZeroDivisionError), database.savepoint():
            sample.number = 2
            _ = 1 / 0
        assert sample.number == 1
    assert sample.number == 1


def test_a_transaction_that_fails_takes_memory_back() -> None:
    database = memory_database("agents")
    sample = Sample(database.journal)
    with suppress(StorageFailed), database.immediate():
        sample.number = 1
        with database.savepoint():
            sample.number = 2
            raise StorageFailed("", reason="disk full")
    assert sample.number == 0


def test_a_dict_is_read_as_any_other_is() -> None:
    memory: MemoryDict[str, int] = MemoryDict(Journal())
    memory.update({"one": 1, "two": 2})
    plain = {"one": 1, "two": 2}
    assert memory.keys() == plain.keys()
    assert list(memory.values()) == list(plain.values())
    assert memory.items() == plain.items()
    assert (memory.get("one"), memory.get("three"), memory.get("three", 3)) == (1, None, 3)
