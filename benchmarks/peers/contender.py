"""One contender: a process that has everything running, and works when it is told to, by a line on standard input.

The line is `chains COUNT` or `jobs COUNT`; the answer is a line with the seconds from the first word to the last
result. Every result is looked at before: a wrong one ends the contender.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping

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


def serve(work: Mapping[str, Callable[[int], list[str]]]) -> None:
    """Answer what is asked until standard input ends.

    Args:
        work: Does so many chains or jobs, and returns the result of each.
    """
    print("ready", file=_ANSWERS, flush=True)
    for line in sys.stdin:
        kind, count = line.split()
        begun = time.perf_counter()
        results = work[kind](int(count))
        took_s = time.perf_counter() - begun
        expected = CHAIN if kind == "chains" else JOB
        wrong = [result for result in results if result != expected]
        if wrong or len(results) != int(count):
            sys.exit(f"{len(results)} results of {count}, wrong: {wrong[:3]}")
        print(took_s, file=_ANSWERS, flush=True)
