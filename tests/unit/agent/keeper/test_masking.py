import base64
import html
import json
from itertools import combinations, pairwise
from random import Random
from urllib.parse import quote, quote_plus

import pytest

from caroni_edge.agent.keeper.masking import MASK, Mask, masked

SECRET = 'p4ss/"wörd" & <it\'s>+'
PLAIN = "hunter22"


def in_pieces(secrets: list[str], text: bytes, cuts: tuple[int, ...]) -> bytes:
    mask = Mask(secrets)
    ends = (0, *cuts, len(text))
    return b"".join(mask.feed(text[a:b]) for a, b in pairwise(ends)) + mask.end()


@pytest.mark.parametrize(
    ("secrets", "text", "expected"),
    [
        ([PLAIN], b"a hunter22 b", b"a *** b"),
        ([PLAIN], b"hunter22hunter22", b"******"),
        ([PLAIN], b"hunter2 hunter2", b"hunter2 hunter2"),
        ([PLAIN], b"hunhunter22 hunter", b"hun*** hunter"),
        (["hunter22", "hunter22-long"], b"x hunter22-lon hunter22-long y", b"x ***-lon *** y"),
        (["abcdefgh", "fghijklm"], b".abcdefghijklm.", b".***."),
        (["abababab"], b"ababababababab-abab", b"***-abab"),
        (["aaaaaaaa"], b"aaaaaaaaaaab", b"***b"),
        (["first-line\nshort\nanother-line"], b"first-line\nshort\nanother-line\n", b"***\nshort\n***\n"),
        (["a-long-secret"], b"the job was cut off: a-long-se", b"the job was cut off: ***"),
        (["a-long-secret"], b"the job was cut off: a-lon", b"the job was cut off: a-lon"),
        (["seven-7"], b"seven-7", b"seven-7"),
        (["12345678901234", "3456789012"], b"x123456789012y 1234567890123", b"x12***y ***"),
        ([], b"nothing to hide", b"nothing to hide"),
    ],
)
def test_however_a_text_is_cut_in_two_and_three_the_same_is_masked(
    secrets: list[str], text: bytes, expected: bytes
) -> None:
    assert masked(secrets, text) == expected
    for cuts in (*combinations(range(len(text) + 1), 1), *combinations(range(len(text) + 1), 2)):
        assert in_pieces(secrets, text, cuts) == expected, cuts
    assert in_pieces(secrets, text, tuple(range(len(text)))) == expected


def test_random_texts_hold_no_secret_however_they_are_cut() -> None:
    chance = Random(1)
    for _ in range(300):
        secrets = ["".join(chance.choices("ab", k=chance.randint(8, 12))) for _ in range(chance.randint(1, 3))]
        text = "".join(chance.choices([*secrets, "a", "b", "ab "], k=12)).encode()
        whole = masked(secrets, text)
        assert not any(secret.encode() in whole for secret in secrets)
        cuts = tuple(sorted(chance.sample(range(len(text)), min(5, len(text)))))
        assert in_pieces(secrets, text, cuts) == whole, (secrets, text, cuts)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"key": SECRET}),
        json.dumps({"key": SECRET}, ensure_ascii=False),
        json.dumps({"key": SECRET}).replace("/", "\\/"),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        "'" + SECRET.replace("'", "'\\''") + "'",
        *(f"user{'r' * number}:{SECRET}" for number in range(3)),
    ],
)
def test_forms_that_programs_write_are_masked(written: str) -> None:
    assert MASK in masked([SECRET], written.encode())
    assert b"rd" not in masked([SECRET], written.encode())


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"use", b"user:"])
@pytest.mark.parametrize("behind", [b"", b"!", b"!!", b"!!!"])
@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
def test_in_base64_all_is_masked_but_for_a_few_bits(before: bytes, behind: bytes, alphabet: object) -> None:
    secret = "s3cret+/?>~~ÿÿ"
    encoded = alphabet(before + secret.encode() + behind)  # type: ignore[operator]
    found = masked([secret], encoded)
    assert MASK in found
    assert len(found) <= len(MASK) + -(-len(before + behind) * 4 // 3) + 6


def test_a_mask_tells_whether_there_was_a_secret() -> None:
    mask = Mask([PLAIN])
    mask.feed(b"hunter2")
    assert not mask.has_found
    mask.feed(b"2")
    assert mask.has_found


def test_what_waits_is_no_longer_than_a_secret() -> None:
    mask = Mask(["ab" * 8])
    given = sum(len(mask.feed(b"ab" * 500)) for _ in range(20))
    assert given == len(MASK)
    assert mask.end() == b""
