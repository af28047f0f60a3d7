"""The log of a node: one line a record on standard error, for people or as JSON; under systemd, entries of its journal.

Every record of ours has an `action` and the ids that it is about, given as `extra`; one search for an id follows a job
through all nodes. A traceback is shown on the console at level `debug` only; in JSON it has a field of its own.

What strangers send must not fill the disk, so what one line of the program says very often is throttled
(`base/throttle.py`).
"""

import json
import logging
import os
import sys
import time
import traceback
from collections import deque
from typing import Any, Final, Literal, TextIO

from caroni_edge.base import journal
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.text import on_lines, on_one_line
from caroni_edge.base.throttle import Throttle

IDS: Final = ("peer", "workflow", "step", "job", "attempt")
"""The ids that lines begin with, in this order; all other facts of a record follow."""

RECENT_LINES: Final = 1000
RECENT_LINE_MAX: Final = 4096
"""So many characters of a line are kept in memory."""

QUIET: Final = (
    "amqtt",
    "asyncio",
    "httpcore",
    "httpx",
    "litestar",
    "multipart",
    "paho",
    "transitions",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)
"""Libraries that are heard from `warning` on only."""

_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Of the journal, for each level and what is above it."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def setup(
    node: str,
    format: Literal["console", "json"] = "console",  # noqa: A002 - it is called so in the configuration
    level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Send the log of this process to standard error; called again, it changes how.

    Args:
        node: Name of the node, as in `managers/m1`.
        format: `console` for people, `json` for programs.
        level: The least that is logged.
        stream: Instead of standard error.
    """
    said = stream or sys.stderr
    console = ConsoleFormatter(node, tracebacks=level == "debug")
    in_journal = format == "console" and journal.takes(said, os.environ)
    handler = _JournalHandler(said, console) if in_journal else _Handler(said)
    handler.setFormatter(JsonFormatter(node) if format == "json" else console)
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False  # costs time, and nobody reads it


def recent() -> list[str]:
    """Return the last lines that were logged, each as it was said but for what is too long; any thread may ask."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, _Handler)]
    return [line for handler in handlers for line in handler.recent.copy()]


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that `setup` finds it again; it keeps the last lines in memory, for who asks for help."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._throttle = Throttle()
        self.recent: deque[str] = deque(maxlen=RECENT_LINES)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and keep it."""
        line = super().format(record)
        self.recent.append(line[:RECENT_LINE_MAX])
        return line

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record, unless many like it were said just now; the caller holds the handler's lock."""
        for said in self._throttle.pass_on(record, time.monotonic()):
            self.say(said)

    def say(self, record: logging.LogRecord) -> None:
        """Write the line of a record."""
        super().emit(record)


class _JournalHandler(_Handler):
    """Gives records to the journal with their facts; a record that it does not take goes where lines go."""

    def __init__(self, stream: TextIO, console: "ConsoleFormatter") -> None:
        super().__init__(stream)
        self._console = console

    def say(self, record: logging.LogRecord) -> None:
        """Give a record to the journal."""
        line = self.format(record)
        facts = {name: _plain(value) for name, value in self._console.facts(record).items()}
        priority = next(priority for level, priority in _PRIORITIES if record.levelno >= level)
        message = self._console.message(record)
        try:
            journal.send(journal.entry(message, priority, {"node": self._console.node, **facts}))
        except OSError:
            self.stream.write(f"{line}\n")
            self.flush()


class _Formatter(logging.Formatter):
    """What both forms share: the time, the sentence and the facts of a record."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self.node = node
        self._second = (0, "")

    def time(self, record: logging.LogRecord) -> str:
        """Return when it was said: RFC 3339, UTC, milliseconds."""
        second = int(record.created)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return f"{text}.{int((record.created - second) * 1000):03d}Z"

    @staticmethod
    def sentence(record: logging.LogRecord) -> str:
        """Return the message; one whose placeholders do not fit is still said."""
        try:
            return record.getMessage()
        except (TypeError, ValueError):
            return f"{record.msg} {record.args!r}"

    @staticmethod
    def facts(record: logging.LogRecord) -> dict[str, Any]:
        """Return the action, the ids, and whatever else was given as `extra`."""
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        first = {name: extra.pop(name) for name in ("action", *IDS) if name in extra}
        return {name: value for name, value in (first | extra).items() if value is not None}

    @staticmethod
    def error(record: logging.LogRecord) -> BaseException | None:
        """Return the exception that the record is about."""
        return record.exc_info[1] if record.exc_info else None


class ConsoleFormatter(_Formatter):
    """`TIME LEVEL managers/m1 sentence key=value …`, on one line."""

    def __init__(self, node: str, *, tracebacks: bool = False) -> None:
        """Make lines for people.

        Args:
            node: Name of the node.
            tracebacks: Show the traceback of an exception below its line.
        """
        super().__init__(node)
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return f"{self.time(record)} {record.levelname:<7} {self.node} {self.message(record)}"

    def message(self, record: logging.LogRecord) -> str:
        """Return what the record says, without when, how urgently and by whom."""
        error = self.error(record)
        parts = [on_one_line(self.sentence(record))]
        if error is not None:
            parts[-1] += f": {on_one_line(_said(error))}"
        parts += [f"{name}={_value(value)}" for name, value in self.facts(record).items()]
        line = " ".join(parts)
        return f"{line}\n{on_lines(_traceback(error))}" if error is not None and self._tracebacks else line


class JsonFormatter(_Formatter):
    """One JSON object on a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        error = self.error(record)
        entry = {"time": self.time(record), "level": record.levelname.lower(), "node": self.node}
        entry |= {"message": self.sentence(record), "logger": record.name}
        entry = entry | self.facts(record) | entry  # no fact replaces these, and they come first
        if error is not None:
            entry["error"] = _said(error)
            if not isinstance(error, CaroniError):
                entry["traceback"] = _traceback(error)
        return json.dumps(entry, default=str)


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, CaroniError) else f"{type(error).__name__}: {error}"


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip("\n")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _value(value: object) -> str:
    if not isinstance(value, str):
        return on_one_line(_plain(value))
    plain = value and value.isprintable() and not any(c in value for c in ' "=')
    return value if plain else on_one_line(json.dumps(value))
