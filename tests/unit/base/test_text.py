"""Text of somebody else's."""

from caroni_edge.base.text import as_unicode, on_one_line


def test_nothing_of_somebody_elses_forges_a_line_or_commands_the_terminal() -> None:
    assert on_one_line("naïve") == "naïve"
    assert on_one_line("a\x1b[2Jb\n") == r"a\x1b[2Jb\n"
    assert on_one_line("a\u2028b\x85") == r"a\u2028b\x85"


def test_half_a_surrogate_pair_is_left_out() -> None:
    assert as_unicode("naïve 😀") == "naïve 😀"
    assert as_unicode("a\ud800b").encode() == b"a?b"
