"""Counts work instead of timing it: what grows with the whole is told from what does not.

The counts are the same on every machine and under any load. What C code does within one instruction is not seen: a
`sorted`, a `count(*)` of a whole table.
"""

import gc
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

SLACK = 1.2
"""By this factor work may grow with the whole, for what depends on lengths of numbers and on the shape of trees."""


@dataclass
class Work:
    """What something took.

    Attributes:
        sqlite: Instructions of SQLite's virtual machine: to find a row by an index takes a few, to read one some more.
        statements: SQL statements, those of triggers with them.
        python: Instructions of Python.
    """

    sqlite: int = 0
    statements: int = 0
    python: int = 0

    def is_like(self, other: "Work") -> bool:
        """Tell whether it is no more work than another, but for the slack."""
        pairs = ((self.sqlite, other.sqlite), (self.statements, other.statements), (self.python, other.python))
        return all(mine <= SLACK * theirs + 1 for mine, theirs in pairs)


def work_of(conn: sqlite3.Connection, do: Callable[[], Any]) -> Work:
    """Count what is done on a connection and by this thread in Python, until `do` returns.

    No garbage is collected meanwhile: what is left of other tests would end here, and be counted.
    """
    counted = Work()

    def on_instruction() -> int:
        counted.sqlite += 1
        return 0

    def on_statement(_sql: str) -> None:
        counted.statements += 1

    def on_python(frame: FrameType, event: str, _arg: Any) -> Any:
        if frame.f_code in own:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted.python += event == "opcode"
        return on_python

    own = {on_instruction.__code__, on_statement.__code__}
    tracer, collects = sys.gettrace(), gc.isenabled()
    gc.disable()
    conn.set_progress_handler(on_instruction, 1)
    conn.set_trace_callback(on_statement)
    sys.settrace(on_python)
    try:
        do()
    finally:
        sys.settrace(tracer)
        conn.set_trace_callback(None)
        conn.set_progress_handler(None, 1)
        if collects:
            gc.enable()
    return counted
