"""What files cost: two agents, a manager or two, and a real mosquitto.

    python -m benchmarks.files [loopback] [beside] [lines] [storm] [slots] [small] [values]

`loopback` is how fast a file goes from one agent to another on this machine; `beside` how long the result of a job
takes beside a file on a line of 1 Mbit/s; `lines` what each bad line costs; `storm` a large file over a line that loses
packets and is cut, between agents that are killed. `slots` is how idle an agent's slots are while a large input comes;
`small` a scatter that hands on thousands of small files; `values` a chain through which a large value goes. Without a
word all of them are run, which takes most of an hour. `beside`, `lines`, `storm` and `slots` need root, since they lay
lines of their own (`badlines.py`).

Prints tables on standard error and JSON on standard output; nothing passes or fails here.
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.files.badlines import enter_own_network
from benchmarks.files.jobs import slots, small, values
from benchmarks.files.lines import beside, loopback, over_lines, storm

MEGABYTE = 1_000_000


class Measurement(NamedTuple):
    """Something that can be measured.

    Attributes:
        run: Measures it.
        much: With so many bytes, or so many files.
        has_lines: It lays lines of its own.
    """

    run: Callable[[int], Any]
    much: int
    has_lines: bool = False


MEASUREMENTS = {
    "loopback": Measurement(loopback, 500 * MEGABYTE),
    "beside": Measurement(beside, 4 * MEGABYTE, has_lines=True),
    "lines": Measurement(over_lines, 10 * MEGABYTE, has_lines=True),
    "storm": Measurement(storm, 1000 * MEGABYTE, has_lines=True),
    "slots": Measurement(slots, 200 * MEGABYTE, has_lines=True),
    "small": Measurement(small, 10_000),
    "values": Measurement(values, 5 * MEGABYTE),
}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help="what is measured; all, if nothing is named")
    parser.add_argument("--much", type=int, help="bytes, or files, in the place of what each has by default")
    options = parser.parse_args()
    what = options.what or list(MEASUREMENTS)
    if unknown := set(what) - MEASUREMENTS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(MEASUREMENTS)}")
    if any(MEASUREMENTS[name].has_lines for name in what):
        enter_own_network()
    report = {}
    for name in what:
        measurement = MEASUREMENTS[name]
        report[name] = measurement.run(options.much or measurement.much)
        print(f"{name}: {json.dumps(report[name])}", file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
