"""How pages say moments, durations and sizes."""

import time
from datetime import datetime

import pytest

from caroni_edge.base.ages import age, duration, lasting
from caroni_edge.base.dates import rfc3339
from caroni_edge.web.templating import (
    FILES_LOOKED_FOR,
    FILES_SHOWN,
    PARTS_SHOWN,
    TEXT_SHOWN,
    MenuItem,
    as_json,
    cut,
    in_path,
    large_files,
    link,
    moments,
    size,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("since_s", "said"),
    [
        (0.4, "now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (10 * 86400, "10 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(since_s: float, said: str) -> None:
    stamp = rfc3339(NOW - since_s)
    assert stamp is not None
    assert age(stamp, NOW) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (-1, "0 ms"),
        (0.0234, "23 ms"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86400 + 7200, "1 d 2 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, ""), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 50, "3072.0 TiB")],
)
def test_a_size_is_said_in_its_unit(count: float | None, said: str) -> None:
    assert size(count) == said


def test_a_value_is_written_to_be_read() -> None:
    assert as_json([]) == "[]"
    assert as_json({"é": 1}) == '{"é": 1}'
    assert as_json(["x" * 60, "y" * 60]) == f'[\n "{"x" * 60}",\n "{"y" * 60}"\n]'


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("it was <b>completed</b>", "it was &lt;b&gt;completed&lt;/b&gt;"),
        ("it failed at {0}: why", 'it failed <time datetime="{0}" title="{0}">23 h ago</time>: why'),
        ("it runs since {0} (1)", 'it runs for <time class="lasting" datetime="{0}" title="{0}">23 h 0 min</time> (1)'),
        ("at 2026-99-99T00:00:00Z", "at 2026-99-99T00:00:00Z"),
    ],
)
def test_a_moment_in_a_sentence_is_said_as_others_are(sentence: str, said: str) -> None:
    stamp = rfc3339(time.time() - 23 * 3600 - 30)
    assert moments(sentence.format(stamp)) == said.format(stamp)


def test_a_page_belongs_to_the_item_of_the_menu_that_leads_to_it() -> None:
    runs = MenuItem("Runs", "/", ("/runs/",))
    assert [path for path in ("/", "/runs/w1", "/runs", "/agents") if runs.leads_to(path)] == ["/", "/runs/w1"]
    assert not MenuItem("Node", "/node").leads_to("/")


@pytest.mark.parametrize(
    ("since_s", "said"),
    [(-5, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3725, "1 h 2 min"), (90_000, "1 d 1 h")],
)
def test_what_goes_on_is_said_in_whole_seconds(since_s: float, said: str) -> None:
    began = "2026-01-31T12:00:00.000Z"
    assert lasting(began, datetime.fromisoformat(began).timestamp() + since_s) == said


def test_a_large_value_is_cut_and_says_so() -> None:
    assert cut(7) == 7
    assert cut(["a", {"b": None}]) == ["a", {"b": None}]
    assert cut("x" * (TEXT_SHOWN + 1000)) == "x" * TEXT_SHOWN + f"… ({TEXT_SHOWN + 1000:,} characters)"
    assert cut([0] * (PARTS_SHOWN + 5)) == [0] * PARTS_SHOWN + ["… 5 more"]
    assert cut({str(nth): nth for nth in range(PARTS_SHOWN + 1)})["… 1 more"] == "…"


def test_what_is_in_a_large_value_is_cut_as_well() -> None:
    shown = as_json(cut([[["x"] * 300] * 300] * 300))
    assert len(shown) < 20_000
    assert "more" in shown


def test_a_link_keeps_what_was_asked_and_changes_some_of_it() -> None:
    asked = {"status": "failed", "text": "a&b", "agent": "", "after": 7}
    assert link("/", asked) == "/?status=failed&text=a%26b&after=7"
    assert link("/", asked, after=None, status="") == "/?text=a%26b"
    assert link("/", {}) == "/"


def test_a_name_in_a_path_keeps_its_slashes_alone() -> None:
    assert in_path("outer[3]/in?ner") == "outer%5B3%5D/in%3Fner"


def test_large_files_are_found_wherever_they_stand_in_a_value() -> None:
    def large(number: int, kind: str = "File") -> dict[str, str]:
        return {"class": kind, "location": f"caroni:sha256:{number:064x}"}

    small = {"class": "File", "contents": "hello"}
    value = {"a": [large(1), small], "b": {**small, "secondaryFiles": [large(2)]}, "c": {"location": "caroni:x"}}
    listing = {"class": "Directory", "listing": [large(3), large(4, "Directory")]}
    assert large_files([value, listing, 7, None, "text"]) == [large(1), large(3), large(4, "Directory"), large(2)]
    assert large_files(large(5)) == [large(5)]
    assert large_files([large(number) for number in range(FILES_SHOWN + 1)]) == [large(n) for n in range(FILES_SHOWN)]
    assert large_files([[0] * (FILES_LOOKED_FOR + 1), [large(1)]]) == []
