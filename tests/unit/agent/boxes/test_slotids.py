"""Which user ids a host has given an agent for its slots."""

import os
from pathlib import Path

import pytest

from caroni_edge.agent.boxes import shared
from caroni_edge.agent.boxes.slotids import NO_SLOT_IDS, NoIds, SlotIds, common, find_slot_ids, ranges_of
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.keeper.users import NO_IDS, Range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a1:200000:65536\n", [Range(200000, 65536)]),
        ("a2:1:2\n998:200000:65536\na1:300000:1\n", [Range(200000, 65536), Range(300000, 1)]),
        ("a1:0:65536\n", []),
        ("a1:4294967000:65536\n", []),
        ("a1:200000:0\na1:x:1\na1:1\na1\n\n# a1:200000:65536\na1:-1:5\n", []),
        ("\udcffa1:200000:65536\n", []),
    ],
)
def test_ranges_are_read_as_they_are_written_and_what_is_wrong_is_none(
    tmp_path: Path, text: str, expected: list[Range]
) -> None:
    path = tmp_path / "subuid"
    path.write_text(text, errors="surrogateescape")
    assert ranges_of(path, {"a1", "998"}) == expected


def test_without_the_file_there_are_none(tmp_path: Path) -> None:
    assert ranges_of(tmp_path / "subuid", {"a1"}) == []


@pytest.mark.parametrize(
    ("users", "groups", "expected"),
    [
        ([Range(10, 10)], [Range(10, 10)], Range(10, 10)),
        ([Range(10, 10)], [Range(15, 10)], Range(15, 5)),
        ([Range(10, 10), Range(100, 50)], [Range(15, 10), Range(90, 100)], Range(100, 50)),
        ([Range(10, 10)], [Range(20, 10)], NO_IDS),
        ([], [Range(20, 10)], NO_IDS),
    ],
)
def test_a_slot_has_one_number_for_user_and_group(users: list[Range], groups: list[Range], expected: Range) -> None:
    assert common(users, groups) == expected


def test_a_person_who_logs_in_gives_jobs_no_other_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "ids").write_text("1000:200000:65536\n")
    with pytest.raises(NoIds, match="one who logs in"):
        find_slot_ids(None, tmp_path / "ids", tmp_path / "ids")


def test_a_box_with_ids_gets_their_namespace_and_a_keeper_that_may_use_them() -> None:
    hidden = Hidden("/var/lib/caroni-edge/agent")
    words = shared.arguments("bwrap", hidden, as_root=False, has_ids=True)
    assert words.index("ALL") < words.index("--cap-add"), "what is given comes after what is taken"
    assert "--cap-add" not in shared.arguments("bwrap", hidden, as_root=False)
    assert SlotIds(Range(200000, 65536), 7).within(words)[:3] == ["bwrap", "--userns", "7"]
    assert NO_SLOT_IDS.within(words) == words
