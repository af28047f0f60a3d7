import pytest

from caroni_edge.objects.objects import Object, parse_id, sha256_of

DIGITS = "0123456789abcdef" * 4


def test_the_name_of_an_object_leads_back_to_its_hash() -> None:
    name = Object(DIGITS, 5).id
    assert name == f"sha256:{DIGITS}"
    assert parse_id(name) == name
    assert sha256_of(name) == DIGITS


@pytest.mark.parametrize(
    "text",
    ["", DIGITS, f"sha256:{DIGITS[1:]}", f"sha256:{DIGITS}0", f"sha256:{DIGITS}\n", f"sha256:{DIGITS.upper()}",
     f"sha1:{DIGITS}", f"sha256:../{DIGITS[3:]}", None, 5, [f"sha256:{DIGITS}"]],
)  # fmt: skip
def test_what_is_no_name_of_an_object_is_taken_for_none(text: object) -> None:
    assert parse_id(text) is None
