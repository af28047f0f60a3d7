"""The log: one line a record, with ids; a traceback only where somebody asked for one."""

import io
import json
import logging
import warnings

import pytest

from caroni_edge.base import logs
from caroni_edge.base.errors import UsageError

log = logging.getLogger("caroni_edge.test_logs")


@pytest.fixture
def stream() -> io.StringIO:
    """Return a stream to log to."""
    return io.StringIO()


def entry(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    read: dict[str, object] = json.loads(line)
    return read


def text(stream: io.StringIO) -> str:
    """Return the one line that was logged, without its time."""
    (line,) = stream.getvalue().splitlines()
    return line.partition(" ")[2]


def fail() -> None:
    raise ZeroDivisionError("it broke\nbadly")


def log_failure(error: Exception | None = None) -> None:
    try:
        if error:
            raise error
        fail()
    except Exception:
        log.exception("did not work", extra={"action": "work_failed", "job": "j1"})


def test_console_lines_carry_the_ids(stream: io.StringIO) -> None:
    logs.setup("managers/m1", "console", "info", stream)
    ids = {"attempt": 2, "job": "j1", "step": "upper", "workflow": "w1", "peer": "a1"}
    log.info("job %s placed", "j1", extra={"reason": "it is\nhere", "action": "job_placed", **ids, "agent": None})
    assert text(stream) == (
        "INFO    managers/m1 job j1 placed action=job_placed peer=a1 workflow=w1 step=upper job=j1 attempt=2 "
        'reason="it is\\nhere"'
    )


def test_the_time_is_utc_with_milliseconds(stream: io.StringIO) -> None:
    record = logging.makeLogRecord({"msg": "hello", "created": 1795608665.0625})
    assert logs.ConsoleFormatter("agents/a1").format(record).startswith("2026-11-25T12:11:05.062Z ")
    record.created = 1795608666.9999
    formatter = logs.JsonFormatter("agents/a1")
    assert [json.loads(formatter.format(record))["time"] for _ in range(2)] == ["2026-11-25T12:11:06.999Z"] * 2


def test_nothing_forges_a_line_or_commands_a_terminal(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "console", "info", stream)
    log.info(
        "from %s", "x\n2026 INFO forged\x1b[31m", extra={"action": "a=b c", "topic": 'a"\u2028', "values": ["\x85"]}
    )
    assert text(stream) == (
        'INFO    agents/a1 from x\\n2026 INFO forged\\x1b[31m action="a=b c" topic="a\\"\\u2028" values=["\\x85"]'
    )


def test_json_lines(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "json", "info", stream)
    log.warning("odd", extra={"action": "odd_seen", "job": "j1", "values": {"a": [1]}, "level": "forged", "path": io})
    read = entry(stream)
    assert read.pop("time")
    assert str(read.pop("path")).startswith("<module")
    assert read == {
        "level": "warning",
        "node": "agents/a1",
        "message": "odd",
        "logger": "caroni_edge.test_logs",
        "action": "odd_seen",
        "job": "j1",
        "values": {"a": [1]},
    }


def test_an_unexpected_error_is_one_line_on_the_console(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "console", "info", stream)
    log_failure()
    assert text(stream) == (
        "ERROR   agents/a1 did not work: ZeroDivisionError: it broke\\nbadly action=work_failed job=j1"
    )


def test_its_traceback_is_shown_at_debug(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "console", "debug", stream)
    log_failure()
    first, *rest = stream.getvalue().splitlines()
    assert "did not work: ZeroDivisionError" in first
    assert rest[0].startswith("Traceback")
    assert any("in fail" in line for line in rest)


def test_its_traceback_is_a_field_in_json(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "json", "info", stream)
    log_failure()
    read = entry(stream)
    assert read["error"] == "ZeroDivisionError: it broke\nbadly"
    assert "in fail" in str(read["traceback"])


def test_an_error_for_people_has_no_traceback(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "json", "info", stream)
    log_failure(UsageError("a.yaml:3", "this is wrong"))
    read = entry(stream)
    assert read["error"] == "a.yaml:3: this is wrong."
    assert "traceback" not in read


def test_what_is_below_the_level_is_not_even_formatted(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "console", "warning", stream)

    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    log.info("%s", Costly())
    assert stream.getvalue() == ""


def test_placeholders_that_do_not_fit_lose_nothing() -> None:
    record = logging.makeLogRecord({"msg": "%d jobs", "args": ("many",)})
    assert logs.ConsoleFormatter("agents/a1").format(record).endswith(" agents/a1 %d jobs ('many',)")


def test_called_again_it_changes_the_form_and_doubles_nothing(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "console", "info", stream)
    logs.setup("agents/a1", "json", "debug", stream)
    log.debug("once")
    assert entry(stream)["message"] == "once"


def test_libraries_are_quiet_and_their_warnings_are_heard(stream: io.StringIO) -> None:
    logs.setup("agents/a1", "json", "debug", stream)
    for name in ("paho", "uvicorn.error", "uvicorn.access", "litestar", "amqtt.broker", "httpx"):
        logging.getLogger(name).info("chatter")
    assert stream.getvalue() == ""
    warnings.warn("take care", stacklevel=1)
    assert "take care" in str(entry(stream)["message"])


def test_neither_a_fact_nor_a_traceback_commands_the_terminal_of_who_reads_the_log(stream: io.StringIO) -> None:
    logs.setup("managers/m1", "console", "debug", stream)
    log.info("said", extra={"action": "said", "peer": "\x1b[2J\x7f\x9b"})
    log_failure(ValueError("\x1b]0;owned\x07 \u202e"))
    written = stream.getvalue()
    assert "Traceback" in written
    assert not [char for char in written if not char.isprintable() and char != "\n"]


def test_the_last_lines_are_kept_in_memory(stream: io.StringIO) -> None:
    logs.setup("managers/m1", stream=stream)
    for number in range(logs.RECENT_LINES + 10):
        log.info("line %d %s", number, "x" * 5000, extra={"action": "x", "workflow": "w1"})
    kept = logs.recent()
    assert len(kept) == logs.RECENT_LINES
    assert "line 10 x" in kept[0]
    assert f"line {logs.RECENT_LINES + 9} x" in kept[-1]
    assert {len(line) for line in kept} == {logs.RECENT_LINE_MAX}
