"""Topics and filters: what covers what."""

import pytest

from caroni_edge.protocol.topics import covers


@pytest.mark.parametrize(
    ("topic_filter", "topic", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("+/b", "a/b", True),
        ("#", "a/b/c", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/+/#", "a", False),
        ("a/#", "ab/c", False),
        ("+", "/a", False),
        ("/+", "/a", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
    ],
)
def test_wildcards(topic_filter: str, topic: str, fits: bool) -> None:
    assert covers(topic_filter, topic) is fits
