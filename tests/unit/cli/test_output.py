"""What commands print: JSON that a terminal cannot be commanded by, and that programs read unchanged."""

import json

import pytest

from caroni_edge.cli._output import shown_json


@pytest.mark.parametrize("char", ["\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\ufeff", "\U000e0041", "\ud800", "\0"])
def test_controls_are_escaped_in_json_and_mean_the_same(char: str) -> None:
    text = shown_json({f"a{char}": [char, "ü\n\t"]})
    assert all(each.isprintable() or each == "\n" for each in text)
    assert "ü" in text
    assert json.loads(text) == {f"a{char}": [char, "ü\n\t"]}
