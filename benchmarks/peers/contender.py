"""One contender: a process that has everything running, and works when it is told to, by a line on standard input.

The line is `chains COUNT` or `jobs COUNT`, all at once, or `single COUNT`: chains, each when the one before has ended.
The answer is a line of JSON: the seconds from the first word to the last result (`took_s`), and for each result the
seconds from the first word, of `single` chains from their own, until it was seen (`each_s`). Every result is looked at:
a wrong one ends the contender.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping

MESSAGE = "caronirocks"
CHAIN = "prepended CARONIROCKSappend"
JOB = "CARONIROCKS"

UPPER = 'printf %s "${1^^}"'
PREPEND = "printf 'prepended %s' \"$1\""
APPEND = "printf '%sappend' \"$1\""
STEPS = (UPPER, PREPEND, APPEND)
"""What the three steps of a chain run, each by a `bash -c` of its own; a job is the first of them."""

# What a contender likes to tell, from its start on, is no answer.
_ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def serve(work: Mapping[str, Callable[[int], Iterable[str]]]) -> None:
    """Answer what is asked until standard input ends.

    Args:
        work: Does so many chains or jobs, and gives the result of each as soon as it can be seen.
    """
    print("ready", file=_ANSWERS, flush=True)
    for line in sys.stdin:
        kind, count = line.split()
        begun = time.perf_counter()
        if kind == "single":
            each_s = [_timed(work["chains"], 1, CHAIN)[0] for _ in range(int(count))]
        else:
            each_s = _timed(work[kind], int(count), CHAIN if kind == "chains" else JOB)
        print(json.dumps({"took_s": time.perf_counter() - begun, "each_s": each_s}), file=_ANSWERS, flush=True)


def _timed(work: Callable[[int], Iterable[str]], count: int, expected: str) -> list[float]:
    """Do the work; return after how many seconds each result was seen."""
    begun = time.perf_counter()
    each_s = []
    for result in work(count):
        each_s.append(time.perf_counter() - begun)
        if result != expected:
            sys.exit(f"a wrong result: {result}")
    if len(each_s) != count:
        sys.exit(f"{len(each_s)} results of {count}")
    return each_s
