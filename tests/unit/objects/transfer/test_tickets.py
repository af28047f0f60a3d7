"""Tickets open what they are for, for whom they are for, while their key is in force."""

from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket

ASKER = Peer("agents", "a1")
FIRST, SECOND, THIRD = Key(1, b"1" * 32), Key(2, b"2" * 32), Key(3, b"3" * 32)


def test_a_ticket_opens_for_its_workflow_and_its_asker_only() -> None:
    keys, ticket = Keys(FIRST), make_ticket(FIRST, "w1", ASKER)
    assert keys.admit(ticket, 1, "w1", ASKER)
    assert not keys.admit(ticket, 1, "w2", ASKER)
    assert not keys.admit(ticket, 1, "w1", Peer("managers", "a1"))
    assert not keys.admit(ticket, 1, "w1", Peer("agents", "a2"))
    assert not keys.admit(ticket, 2, "w1", ASKER)
    assert not keys.admit(make_ticket(Key(1, b"x" * 32), "w1", ASKER), 1, "w1", ASKER)


def test_the_last_key_holds_beside_the_present_one_and_none_before_it() -> None:
    keys = Keys(FIRST).renewed(SECOND)
    assert keys.admit(make_ticket(FIRST, "w1", ASKER), 1, "w1", ASKER)
    assert keys.admit(make_ticket(SECOND, "w1", ASKER), 2, "w1", ASKER)
    keys = keys.renewed(THIRD)
    assert not keys.admit(make_ticket(FIRST, "w1", ASKER), 1, "w1", ASKER)
    assert keys.admit(make_ticket(SECOND, "w1", ASKER), 2, "w1", ASKER)


def test_a_key_that_comes_late_changes_nothing() -> None:
    keys = Keys(SECOND)
    assert keys.renewed(FIRST) == keys
    assert keys.renewed(SECOND) == keys
