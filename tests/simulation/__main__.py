"""Run the simulation for long: ``python -m tests.simulation --seeds 0:10000 [--kind all] [--processes 2]``.

A seed that fails says what was wrong, and what happened around it; ``--seeds N:N+1 --kind K --trace`` prints all of it.
"""

import argparse
import gc
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.schedule import KINDS, play
from tests.simulation.trace import Trace

MOST_SAID = 5
SAY_EVERY = 100
GARBAGE_MAX = 50_000
"""So many new objects there are before garbage is looked for: to look often takes a tenth of the time."""


def run(kind: str, seed: int) -> tuple[int, list[str], list[str]]:
    """Run one schedule; return its seed, what is wrong, and a short trace if something is."""
    wrong = _play(kind, seed)
    if not wrong:
        return seed, [], []
    trace = Trace()
    again = _play(kind, seed, trace)
    if again != wrong:
        wrong = [f"not the same the second time: {'; '.join(again) or 'all is well'}", *wrong]
    return seed, wrong, [str(event) for event in trace.around(wrong)]


def _play(kind: str, seed: int, trace: Trace | None = None) -> list[str]:
    try:
        return play(kind, seed, trace)
    except Exception as error:  # noqa: BLE001 - shown with the seed, and counted as a failure
        return [f"{type(error).__name__}: {error}"]


def show(kind: str, seed: int) -> bool:
    """Print all that happens in a schedule, and what is wrong at its end; return whether something is."""
    trace = Trace()
    wrong = _play(kind, seed, trace)
    for event in trace.events:
        print(event)
    print(f"seed {seed} ({kind}): {'; '.join(wrong) or 'all is well'}")
    return bool(wrong)


def main() -> None:
    """Run a range of seeds; the exit status is 1 when one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="FROM:TO")
    parser.add_argument("--kind", choices=KINDS, default="all", help="what goes wrong")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    if options.trace:
        failures = [seed for seed in range(first, last) if show(options.kind, seed)]
        sys.exit(1 if failures else 0)
    gc.freeze()  # what was imported stays
    gc.set_threshold(GARBAGE_MAX)
    begun, failed = time.monotonic(), 0
    with ProcessPoolExecutor(options.processes) as pool:
        results = pool.map(partial(run, options.kind), range(first, last), chunksize=4)
        for count, (seed, wrong, events) in enumerate(results, start=1):
            if wrong:
                failed += 1
                print(f"seed {seed}: {'; '.join(wrong[:MOST_SAID])}", *events, sep="\n", flush=True)
            if count % SAY_EVERY == 0 or count == last - first:
                minutes = (time.monotonic() - begun) / 60
                rate = f"in {minutes:.1f} min, {count / minutes:.0f} a minute"
                print(f"{count} schedules ({options.kind}) {rate}; {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
