"""Which user id a job gets."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import sysvipc, users
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.users import NO_IDS, Range, Users

FEW = Range(200000, 5)
"""Four for jobs: the last one is nobody's."""


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process takes another id here, and of none anything is left."""

    @contextmanager
    def acting_as(user: int, *, real: int | None = None) -> Iterator[None]:
        yield

    monkeypatch.setattr(users, "acting_as", acting_as)
    monkeypatch.setattr(sysvipc, "remove_all", lambda _user: None)
    monkeypatch.setattr(users, "_look", lambda _user: ({}, [], True))


def keeper(state_dir: Path, home: str = "boxes/shared-1", ids: Range = FEW) -> Users:
    (state_dir / home).mkdir(parents=True, exist_ok=True)
    return Users(Places.unboxed(str(state_dir), home), ids)


def test_without_a_range_jobs_have_the_keepers(tmp_path: Path) -> None:
    assert keeper(tmp_path, ids=NO_IDS).pick("m1", ()) == 0
    assert keeper(tmp_path, ids=Range(200000, 1)).pick("m1", ()) == 0


def test_jobs_that_run_together_have_different_ids_and_managers_never_share_one(tmp_path: Path) -> None:
    given = keeper(tmp_path)
    first = given.pick("m1", ())
    second = given.pick("m1", {first})
    others = given.pick("m2", {first, second})
    assert len({first, second, others}) == 3
    assert {first, second, others} <= set(range(200000, 200004))
    assert given.pick("m1", ()) == first, "an id is used again by its own manager"
    assert given.pick("m2", ()) == others


def test_a_keeper_that_follows_knows_whose_ids_were_whose(tmp_path: Path) -> None:
    first, others = (keeper(tmp_path).pick(manager, ()) for manager in ("m1", "m2"))
    assert first != others
    assert [keeper(tmp_path).pick(manager, ()) for manager in ("m2", "m1")] == [others, first]


def test_keepers_beside_each_other_have_different_ids_until_one_is_removed(tmp_path: Path) -> None:
    first = keeper(tmp_path).pick("m1", ())
    beside = keeper(tmp_path, "boxes/shared-2")
    assert beside.pick("m1", ()) != first
    (tmp_path / "boxes" / "shared-1" / "ids").unlink()
    assert first in {beside.pick(f"m{number}", ()) for number in range(2, 5)}


def test_when_all_are_used_a_free_one_of_another_manager_is_and_then_none(tmp_path: Path) -> None:
    given = keeper(tmp_path)
    every = {given.pick(f"m{number}", ()) for number in range(4)}
    assert every == set(range(200000, 200004))
    taken = every - {given.pick("m0", ())}
    assert given.pick("m9", taken) == given.pick("m9", taken)
    with pytest.raises(OSError, match="no user id is left") as refused:
        given.pick("m1", every)
    assert refused.value.errno == errno.EAGAIN, "others may run the job meanwhile"


def test_an_id_with_a_process_that_cannot_be_ended_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = keeper(tmp_path)
    first = given.pick("m1", ())
    given.note_unended(first)
    monkeypatch.setattr(users, "user_ids", lambda pid: {first} if pid == str(os.getpid()) else set())
    assert given.pick("m1", ()) != first
    monkeypatch.setattr(users, "user_ids", lambda _pid: set())
    assert given.pick("m1", ()) == first


def test_an_id_of_which_files_are_left_waits_until_they_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = keeper(tmp_path)
    first = given.pick("m1", ())
    common = tmp_path / "common"
    common.mkdir()
    for number in range(5):
        (common / str(number)).touch()
    left = [str(path) for path in sorted(common.iterdir())]
    monkeypatch.setattr(users, "_look", lambda user: ({}, left if user == first else [], True))
    monkeypatch.setattr(users, "CLEARED_AT_ONCE", 3)
    given._clean.clear()
    assert given.pick("m1", ()) != first, "others do not wait for it"
    left[:] = [str(path) for path in common.iterdir()]
    assert given.pick("m1", ()) == first
    assert list(common.iterdir()) == []


def test_what_a_power_cut_has_left_of_the_list_is_no_list(tmp_path: Path) -> None:
    given = keeper(tmp_path)
    given.pick("m1", ())
    (tmp_path / "boxes" / "shared-1" / "ids").write_text("[[2000")
    assert keeper(tmp_path).pick("m1", ()) in range(200000, 200004)


def test_where_too_much_lies_to_be_looked_through_a_manager_keeps_to_its_own_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = keeper(tmp_path)
    first = given.pick("m1", ())
    given._clean.clear()
    monkeypatch.setattr(users, "_look", lambda _user: ({}, [], False))
    assert given.pick("m1", ()) == first
    with pytest.raises(OSError, match="20000 files lie where everybody may write") as refused:
        given.pick("m1", {first})
    assert refused.value.errno == errno.EAGAIN


def test_no_more_is_looked_at_than_there_is_time_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(users, "COMMON", (str(tmp_path),))
    monkeypatch.setattr(users, "LOOKED_AT_MAX", 5)
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    own = os.getuid()
    for number in range(3):
        (open_to_all / str(number)).touch()
    looked = users._look(own + 1)
    assert looked == (
        {str(tmp_path): looked[0][str(tmp_path)], str(open_to_all): looked[0][str(open_to_all)]},
        [],
        True,
    )
    for number in range(3, 9):
        (open_to_all / str(number)).touch()
    assert not users._look(own + 1)[2]
    monkeypatch.setattr(users, "LOOKED_AT_MAX", 100)
    assert users._look(own)[1] == [str(open_to_all)], "what is in an own directory goes with it"
