"""Text of somebody else, made to fit where it goes."""

import pytest

from caroni_edge.base.text import as_unicode, encoded, is_unicode, on_lines, on_one_line, tail


def test_nothing_of_somebody_elses_forges_a_line_or_commands_the_terminal() -> None:
    assert on_one_line("naïve") == "naïve"
    assert on_one_line("a\x1b[2Jb\n") == r"a\x1b[2Jb\n"
    assert on_one_line("a\u2028b\x85") == r"a\u2028b\x85"


def test_half_a_surrogate_pair_is_left_out() -> None:
    assert as_unicode("naïve 😀") == "naïve 😀"
    assert as_unicode("a\ud800b").encode() == b"a?b"


@pytest.mark.parametrize(
    ("text", "whole"),
    [("", ""), ("plain", "plain"), ("größer → 🎉", "größer → 🎉"), ("bad \ud800!", "bad ?!"), ("\udcff", "?")],
)
def test_what_utf8_cannot_hold_is_told_and_replaced(text: str, whole: str) -> None:
    assert as_unicode(text) == whole
    assert encoded(text) == whole.encode()
    assert is_unicode(text) == (text == whole)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", ""),
        ("abc", "abc"),
        ("abcdef", "cdef"),
        ("äbcd", "bcd"),
        ("xäbc", "äbc"),
        ("x🎉", "🎉"),
        ("🎉a", "a"),
    ],
)
def test_the_end_of_a_text_has_no_cut_character(text: str, end: str) -> None:
    assert tail(text.encode(), 4) == end


def test_the_end_of_what_is_no_text_is_said_as_well_as_it_can_be() -> None:
    assert tail(b"\x80\xffab", 4) == "\ufffd\ufffdab"
    assert tail(b"x\x80\x80\x80\x80", 4) == "\ufffd" * 4


def test_lines_and_tabs_of_a_text_stay_and_all_else_is_escaped() -> None:
    assert on_lines("one\r\n\ttwo\x1b[2J\rthree\u202e\n") == "one\n\ttwo\\x1b[2J\\rthree\\u202e\n"
    assert on_lines("") == ""
