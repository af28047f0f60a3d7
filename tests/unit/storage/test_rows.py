"""How stores run their statements."""

import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import pytest

from caroni_edge.storage.rows import NEWEST, Page, Rows, columns, parameters


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Boat(NamedTuple):
    id: int
    name: str
    colour: Colour | None
    afloat: bool


class Trip(NamedTuple):
    day: str
    boat: Boat
    is_over: bool


class BoatRows(Rows):
    ADD = "INSERT INTO boats (name, colour, afloat) VALUES (:name, :colour, :afloat)"

    def add(self, name: str, colour: Colour | None = Colour.RED, *, afloat: bool = True) -> int:
        return self._insert(self.ADD, name=name, colour=colour, afloat=afloat)

    BY_NAME = f"SELECT {columns(Boat)} FROM boats WHERE name = :name"

    def by_name(self, name: str) -> Boat | None:
        return self._one(Boat, self.BY_NAME, name=name)

    AT = f"SELECT {columns(Boat)} FROM boats WHERE id = :id"

    def at(self, key: int) -> Boat:
        return self._only(Boat, self.AT, id=key)

    TRIPS = f"SELECT 'Monday' AS day, {columns(Boat, 'b')}, b.id > 1 AS is_over FROM boats b ORDER BY id"

    def trips(self) -> list[Trip]:
        return self._all(Trip, self.TRIPS)

    COLOURS = "SELECT colour FROM boats ORDER BY id"

    def colours(self) -> list[Colour]:
        return self._all(Colour, self.COLOURS)

    NAMES = "SELECT name FROM boats WHERE hoisted(name) ORDER BY id"

    def names(self) -> Iterator[str]:
        return self._each(str, self.NAMES)

    GREATEST = "SELECT max(id) FROM boats"

    def greatest(self) -> int | None:
        return self._one(int, self.GREATEST)

    IS_AFLOAT = "SELECT afloat FROM boats WHERE name = :name"

    def is_afloat(self, name: str) -> bool | None:
        return self._one(bool, self.IS_AFLOAT, name=name)

    FALLING = f"SELECT {columns(Boat)} FROM boats WHERE id < :after AND colour = :colour ORDER BY id DESC LIMIT :limit"

    def falling(self, colour: Colour, limit: int, after: int = NEWEST) -> Page[Boat]:
        return self._page(Boat, self.FALLING, "id", limit, colour=colour, after=after)

    SINK = "UPDATE boats SET afloat = 0 WHERE afloat"

    def sink(self) -> int:
        return self._run(self.SINK)

    RENAME = "UPDATE boats SET name = :name WHERE id = :id"

    def rename(self, names: dict[int, str]) -> None:
        self._run_each(self.RENAME, ({"id": key, "name": name} for key, name in names.items()))


@pytest.fixture
def boats() -> BoatRows:
    conn = sqlite3.connect(":memory:")
    conn.execute("CREATE TABLE boats (id INTEGER PRIMARY KEY, name TEXT, colour TEXT, afloat INTEGER)")
    return BoatRows(conn)


def test_a_row_is_a_named_tuple_with_enums_and_booleans(boats: BoatRows) -> None:
    key = boats.add("Nina", Colour.BLUE)
    found = boats.by_name("Nina")
    assert found == (key, "Nina", "blue", 1)
    assert isinstance(found, Boat)
    assert (found.colour, found.afloat) == (Colour.BLUE, True)
    assert isinstance(found.colour, Colour)
    assert isinstance(found.afloat, bool)
    assert boats.at(boats.add("Pinta", None)).colour is None


def test_a_row_may_hold_another(boats: BoatRows) -> None:
    one, two = boats.at(boats.add("Nina")), boats.at(boats.add("Pinta", Colour.BLUE))
    assert boats.trips() == [Trip("Monday", one, is_over=False), Trip("Monday", two, is_over=True)]
    assert isinstance(boats.trips()[1].boat.colour, Colour)


def test_what_is_not_there_is_none_or_an_error(boats: BoatRows) -> None:
    assert boats.by_name("Nina") is None
    with pytest.raises(LookupError, match=r"no row for {'id': 7}: SELECT id, name, colour, afloat FROM boats"):
        boats.at(7)


def test_a_single_value_is_of_its_type_and_null_is_none(boats: BoatRows) -> None:
    assert boats.greatest() is None
    boats.add("Nina", afloat=False)
    assert boats.greatest() == 1
    assert boats.is_afloat("Nina") is False
    assert boats.is_afloat("Pinta") is None
    assert all(isinstance(each, Colour) for each in boats.colours())


def test_rows_are_read_as_they_are_taken(boats: BoatRows) -> None:
    looked_at = []
    boats._conn.create_function("hoisted", 1, lambda name: looked_at.append(name) or True)  # type: ignore[func-returns-value]
    for name in ("Nina", "Pinta", "Santa Maria"):
        boats.add(name)
    assert next(boats.names()) == "Nina"
    assert "Santa Maria" not in looked_at


def test_changed_rows_are_counted(boats: BoatRows) -> None:
    boats.add("Nina")
    boats.add("Pinta", afloat=False)
    assert boats.sink() == 1
    boats.rename({1: "Nina II", 2: "Pinta II"})
    assert [boats.at(key).name for key in (1, 2)] == ["Nina II", "Pinta II"]


def make_six(boats: BoatRows) -> None:
    for number in range(1, 7):
        boats.add(f"boat {number}", Colour.BLUE if number == 3 else Colour.RED)


def test_pages_follow_each_other_and_the_last_one_says_so(boats: BoatRows) -> None:
    make_six(boats)
    seen, after = [], NEWEST
    while True:
        page = boats.falling(Colour.RED, 2, after)
        seen.append([boat.id for boat in page.rows])
        if page.next is None:
            break
        after = int(page.next)
    assert seen == [[6, 5], [4, 2], [1]]


def test_a_full_page_with_nothing_behind_it_is_the_last(boats: BoatRows) -> None:
    assert boats.falling(Colour.RED, 5) == ([], None)
    make_six(boats)
    page = boats.falling(Colour.RED, 5)
    assert ([boat.id for boat in page.rows], page.next) == ([6, 5, 4, 2, 1], None)


def test_columns_and_parameters_are_the_fields_of_a_row() -> None:
    assert columns(Boat) == "id, name, colour, afloat"
    assert columns(Boat, "b") == "b.id, b.name, b.colour, b.afloat"
    assert columns(Boat, "b", colour="paint") == "b.id, b.name, b.paint AS colour, b.afloat"
    assert parameters(Boat) == ":id, :name, :colour, :afloat"
