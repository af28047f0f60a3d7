"""Run real jobs while all is killed and cut off: ``python -m tests.chaos [--seed 1] [--jobs 10000] [--cut-off 0.5]``.

Prints a report. The exit status is 1 when a promise was broken; what is said then names the trace and the logs.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.campaign import Plan, run

SHOWN = 10


def main() -> None:
    """Run one plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="draws the faults")
    parser.add_argument("--jobs", type=int, default=10_000, help="steps of all workflows together")
    parser.add_argument("--managers", type=int, default=2)
    parser.add_argument("--cut-off", type=float, default=0.5, help="share of the time that agent and manager are apart")
    parser.add_argument("--outage", type=float, default=3.0, help="how long a fault lasts on average, in seconds")
    parser.add_argument("--directory", type=Path, help="where all is kept; without it in /tmp, if a promise was broken")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    directory = options.directory or Path(tempfile.mkdtemp(prefix="caroni-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        sys.exit(f"{directory} is not empty")
    print(f"trace, logs and databases: {directory}", flush=True)
    try:
        outcome = run(Plan(options.seed, options.jobs, options.managers, options.cut_off, options.outage), directory)
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    print(outcome.report)
    for promise, wrong in outcome.broken.items():
        print(f"\nbroken: {promise}", *wrong[:SHOWN], sep="\n  ")
    if outcome.broken:
        sys.exit(f"\nthe trace: {outcome.trace}")
    if options.directory is None:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
