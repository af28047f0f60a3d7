"""Run the simulation for long: ``python -m tests.simulation --seeds 0:10000 [--kind agents] [--processes 2]``."""

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.schedule import KINDS, end, rough


def run(kind: str, seed: int) -> tuple[int, list[str]]:
    """Run one schedule; return its seed and what is wrong."""
    logging.disable(logging.CRITICAL)
    try:
        federation = rough(seed)
        KINDS[kind](federation)
        return seed, end(federation)
    except Exception as error:  # noqa: BLE001 - shown with the seed, and counted as a failure
        return seed, [f"{type(error).__name__}: {error}"]


def main() -> None:
    """Run a range of seeds; the exit status is 1 when one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="FROM:TO")
    parser.add_argument("--kind", choices=KINDS, default="crashes")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    begun, failed = time.monotonic(), 0
    with ProcessPoolExecutor(options.processes) as pool:
        for seed, wrong in pool.map(partial(run, options.kind), range(first, last), chunksize=4):
            if wrong:
                failed += 1
                print(f"seed {seed}: {'; '.join(wrong[:5])}", flush=True)
    minutes = (time.monotonic() - begun) / 60
    count = last - first
    print(f"{count} schedules ({options.kind}) in {minutes:.1f} min, {count / minutes:.0f} a minute; {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
