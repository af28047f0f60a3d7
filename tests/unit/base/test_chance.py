"""Ids come from the system's chance, and each of their characters is as likely as the others."""

import secrets
import string

import pytest

from caroni_edge.base.chance import SystemChance

CHARACTERS = string.ascii_lowercase + "234567"


def test_ids_have_sixteen_characters_and_differ() -> None:
    ids = {SystemChance().new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {16}
    assert set("".join(ids)) <= set(CHARACTERS)


def test_each_byte_of_the_system_makes_a_character_and_each_character_comes_of_as_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ""
    for first in range(0, 256, 16):
        monkeypatch.setattr(secrets, "token_bytes", lambda _, first=first: bytes(range(first, first + 16)))
        made += SystemChance().new_id()
    assert {made.count(each) for each in CHARACTERS} == {8}
