"""How much room a store has for a manager's objects."""

from caroni_edge.objects.quota import PER_MANAGER, STORE, Quota, Short

BOUNDED = Quota(store=100, per_manager=60, used=70, used_by={"m1": 50, "m2": 20})


def short(quota: Quota, manager: str, size: int) -> Short:
    found = quota.why_not(manager, size)
    assert found is not None
    return found


def test_what_is_not_bounded_always_fits() -> None:
    assert not Quota().is_bounded
    assert Quota(used=10).why_not("m1", 1 << 60) is None


def test_up_to_the_bounds_it_fits() -> None:
    assert BOUNDED.why_not("m1", 10) is None
    assert BOUNDED.why_not("m2", 30) is None
    assert BOUNDED.why_not("m3", 30) is None


def test_beyond_them_the_setting_is_named_and_how_much_lacks() -> None:
    assert short(BOUNDED, "m1", 11)[0::2] == (PER_MANAGER, 1)
    assert short(BOUNDED, "m3", 31)[0::2] == (STORE, 1)
    assert "files.per_manager is 60 bytes, 50 of them are taken by this manager's files" in short(BOUNDED, "m1", 11).why
    assert "files.store is 100 bytes, 70 of them are taken by files" in short(BOUNDED, "m3", 31).why


def test_of_both_bounds_the_one_counts_that_lacks_more() -> None:
    assert short(BOUNDED, "m1", 55).setting == PER_MANAGER
    assert short(BOUNDED._replace(per_manager=90), "m1", 55).setting == STORE


def test_what_would_not_fit_into_an_empty_store_never_does() -> None:
    assert short(BOUNDED, "m2", 61).is_for_ever
    assert not short(BOUNDED, "m2", 60).is_for_ever
    assert short(BOUNDED, "m2", 61).why == "files.per_manager is 60 bytes, and these are 61"


def test_it_grows_and_shrinks() -> None:
    more = BOUNDED.with_more("m3", 5)
    assert (more.used, more.used_by) == (75, {"m1": 50, "m2": 20, "m3": 5})
    less = more.with_less(BOUNDED, BOUNDED._replace(used=40, used_by={"m1": 20, "m2": 20}))
    assert (less.used, less.used_by) == (45, {"m1": 20, "m2": 20, "m3": 5})
