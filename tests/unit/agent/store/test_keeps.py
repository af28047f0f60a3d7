"""What a depot is to fetch comes in turns from those who have it; how much that is does not make the next cost more."""

from caroni_edge.agent.jobs.wants import places_text
from caroni_edge.agent.store.keeps import KeepRows
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.objects import PLACES_MAX, ObjectPlace
from caroni_edge.storage.database import memory_database
from tests.work import Work, work_of


def promised(*lines: tuple[str, tuple[str, ...], int]) -> KeepRows:
    """Promise objects: for a manager, from holders, so many."""
    keeps = KeepRows(memory_database("agents").conn)
    for nth, (manager, holders, count) in enumerate(lines):
        for number in range(count):
            # Each workflow has tickets of its own.
            ticket = f"{nth * 1000 + number:064x}"
            places = [ObjectPlace(holder=f"agents/{each}", generation=1, ticket=ticket) for each in holders]
            keeps.add(manager, f"w{number}", ObjectId(f"sha256:{ticket}"), 9, places_text(places))
    return keeps


def turns(keeps: KeepRows, limit: int) -> list[int]:
    return [each.turn for each in keeps.first(limit)]


def test_the_first_of_each_line_come_before_the_second_of_any() -> None:
    keeps = promised(("m1", ("a1",), 3), ("m1", ("a1", "a2"), 2), ("m2", ("a1",), 2))
    assert turns(keeps, 9) == [1, 4, 6, 2, 5, 7, 3]
    assert turns(keeps, 4) == [1, 4, 6, 2]
    keeps.came(4)
    assert turns(keeps, 4) == [1, 5, 6, 2]
    assert turns(promised(), 4) == []


def test_the_last_of_as_many_holders_as_there_may_be_makes_a_line_of_its_own() -> None:
    most = tuple(f"a{number}" for number in range(PLACES_MAX))
    assert turns(promised(("m1", most, 2), ("m1", (*most[:-1], "b"), 1)), 2) == [1, 3]


def test_a_manager_that_names_many_holders_holds_up_no_other() -> None:
    many = [("m1", (f"a{number}",), 1) for number in range(9)]
    assert turns(promised(*many, ("m2", ("a0",), 1)), 3) == [1, 2, 10]


def test_what_is_not_fetched_yet_costs_nothing() -> None:
    def cost(size: int) -> Work:
        keeps = promised(("m1", ("a1",), size), ("m1", ("a2",), size))
        return work_of(keeps._conn, lambda: keeps.first(10))

    few, many = cost(10), cost(500)
    assert many.is_like(few), (few, many)
