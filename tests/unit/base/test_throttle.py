"""Whatever strangers send, the log does not grow with it; what was left out is counted, and nothing else suffers."""

import io
import logging

from caroni_edge.base import logs
from caroni_edge.base.throttle import SAID_MAX, WINDOW_S, Throttle


def record(line: int, text: str = "junk", level: int = logging.WARNING, **facts: object) -> logging.LogRecord:
    facts = {"name": "n", "pathname": "p.py", "lineno": line, "msg": text, "levelno": level, **facts}
    return logging.makeLogRecord(facts)


def said(throttle: Throttle, what: logging.LogRecord, now: float) -> list[logging.LogRecord]:
    return list(throttle.pass_on(what, now))


def test_many_records_of_one_line_are_counted_and_the_last_is_said_at_the_end() -> None:
    throttle = Throttle()
    first = [each for _ in range(SAID_MAX + 10) for each in said(throttle, record(1), 0.0)]
    assert len(first) == SAID_MAX
    assert vars(first[-1])["like_it"] == "are counted only, for 10 s"
    assert not hasattr(first[-2], "like_it")
    assert said(throttle, record(1, "the last"), 1.0) == []
    last, other = said(throttle, record(2), WINDOW_S)
    assert (last.msg, vars(last)["like_it"]) == ("the last", "10 more were left out")
    assert other.lineno == 2
    assert len(said(throttle, record(1), WINDOW_S)) == 1


def test_records_of_other_lines_are_said() -> None:
    throttle = Throttle()
    for _ in range(SAID_MAX + 1):
        said(throttle, record(1), 0.0)
    assert said(throttle, record(2), 0.0)
    assert said(throttle, record(1, level=logging.ERROR), 0.0)


def test_what_is_done_for_workflows_is_all_said() -> None:
    throttle = Throttle()
    for _ in range(SAID_MAX + 1):
        assert said(throttle, record(1, level=logging.INFO, workflow="w1"), 0.0)
    kept = [said(throttle, record(2, level=logging.WARNING, workflow="w1"), 0.0) for _ in range(SAID_MAX + 1)]
    assert not kept[-1]


def test_the_log_of_a_node_does_not_grow_with_what_strangers_send() -> None:
    stream = io.StringIO()
    logs.setup("managers/m1", "console", "info", stream)
    for number in range(10_000):
        logging.getLogger("caroni_edge.test").warning("junk %d", number, extra={"action": "ignored"})
    assert len(stream.getvalue().splitlines()) == SAID_MAX
    assert stream.getvalue().splitlines()[-1].endswith('action=ignored like_it="are counted only, for 10 s"')
