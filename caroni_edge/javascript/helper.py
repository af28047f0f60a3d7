"""What the helper process does: it reads a script a line, runs it in a new context, and writes what it gives, a line.

The engine is C code that strangers feed. So this process can do nothing but compute: it opens no file and no connection
(its limit of open files is what it has), forks nothing, and has little memory. A context knows neither the time nor
chance: both are given with the script, so that it gives the same when it is run again.
"""

import importlib
import json
import math
import os
import resource
import sys
import time
from collections.abc import Iterable
from typing import Any, BinaryIO

MEMORY_BYTES = 64 << 20
"""For a context. The process has as much again for the text of scripts and answers."""
CPU_S = 2
CPU_MAX_S = CPU_S + 2
"""The engine looks at its clock itself; where it does not come to that, the kernel ends the process (SIGXCPU)."""
TOO_LONG = f"it took more than {CPU_S} s"
STACK_BYTES = 512 << 10
ANSWER_MAX_CHARS = 1 << 20

READY, MISSING = "ready", "missing"
"""The first line that it writes: whether there is an engine."""

_FIXED = """
(function (now, seed) {
  const Real = Date;
  function Fixed(...given) {
    if (new.target === undefined) { return new Real(now).toString(); }
    return Reflect.construct(Real, given.length ? given : [now], new.target);
  }
  Fixed.prototype = Real.prototype;
  Fixed.prototype.constructor = Fixed;
  Fixed.UTC = Real.UTC; Fixed.parse = Real.parse; Fixed.now = () => now;
  globalThis.Date = Fixed;
  delete globalThis.performance;
  let state = seed >>> 0;
  Math.random = function () {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
})"""


def main() -> int:
    """Answer scripts until standard input ends."""
    told = sys.stdout.buffer
    try:
        engine = importlib.import_module("quickjs")
    except ImportError:
        _write(told, {"state": MISSING})
        return 0
    confine()
    _write(told, {"state": READY})
    answer_all(sys.stdin.buffer, told, engine)
    return 0


def confine() -> None:
    """Leave this process nothing but to compute, and to talk on what is open."""
    os.environ["TZ"] = "UTC"
    pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: SIM115 - closed at once
    room = pages * resource.getpagesize() + 2 * MEMORY_BYTES
    for kind, most in (
        (resource.RLIMIT_AS, room),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (most, most))


def answer_all(asked: Iterable[bytes], told: BinaryIO, engine: Any) -> None:
    """Run each script that is asked for, and write what it gives: `{"value": …}` or `{"error": …}`.

    Args:
        asked: A script a line, as JSON.
        told: Where the answers go.
        engine: The module `quickjs`.
    """
    for line in asked:
        until_s = math.ceil(time.process_time()) + CPU_MAX_S
        resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.RLIM_INFINITY))
        try:
            answer: dict[str, Any] = {"value": evaluate(json.loads(line), engine)}
        except (engine.JSException, MemoryError, ValueError) as error:
            answer = {"error": _words(error)}
        _write(told, answer)


def evaluate(script: dict[str, Any], engine: Any) -> Any:
    """Run a script in a context of its own, and return what it gives.

    Args:
        script: `body` of the function that is called, `names` and their values that it sees, `library` that runs first,
            `date_ms` and `seed` for what it knows of time and chance.
        engine: The module `quickjs`.
    """
    context = engine.Context()
    context.set_memory_limit(MEMORY_BYTES)
    context.set_max_stack_size(STACK_BYTES)
    context.set_time_limit(CPU_S)
    context.eval(f"{_FIXED}({json.dumps(script['date_ms'])}, {json.dumps(script['seed'])})")
    names = "".join(f"var {name} = {json.dumps(value)};\n" for name, value in script["names"].items())
    library = "".join(f"{text}\n" for text in script["library"])
    text = context.eval(f'"use strict";\n{library}{names}JSON.stringify((function () {{{script["body"]}\n}})())')
    if text is None:  # what JSON does not have: undefined, a function
        return None
    if len(text) > ANSWER_MAX_CHARS:
        raise ValueError(f"it gives more than {ANSWER_MAX_CHARS} characters")
    return json.loads(text)


def _words(error: Exception) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if "interrupted" in said:
        return TOO_LONG
    if "out of memory" in said or isinstance(error, MemoryError):
        return f"it took more than {MEMORY_BYTES >> 20} MB"
    return said


def _write(told: BinaryIO, answer: dict[str, Any]) -> None:
    told.write(json.dumps(answer).encode() + b"\n")
    told.flush()
