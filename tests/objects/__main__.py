"""Fetch objects over bad lines for long: ``python -m tests.objects --seeds 0:5000 [--processes 2]``.

A seed that fails says what was wrong, and what happened; ``--seeds N:N+1 --trace`` prints it in any case.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.objects.world import play, setting_of

LINES_SHOWN = 60
SAY_EVERY = 1000


def run(seed: int) -> tuple[int, str, list[str]]:
    """Play one schedule; return its seed, what is wrong, and what happened."""
    try:
        problem, lines = play(seed)
    except Exception as error:  # noqa: BLE001 - shown with the seed, and counted as a failure
        return seed, f"{type(error).__name__}: {error}", []
    return seed, problem, lines


def main() -> None:
    """Run a range of seeds; the exit status is 1 when one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="FROM:TO")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    begun, failed = time.monotonic(), 0
    with ProcessPoolExecutor(options.processes) as pool:
        for number, (seed, problem, lines) in enumerate(pool.map(run, range(first, last), chunksize=4), start=1):
            failed += bool(problem)
            if problem or options.trace:
                print(f"seed {seed}: {problem or 'all is well'}", setting_of(seed), sep="\n")
                print(*lines[-LINES_SHOWN:], sep="\n", flush=True)
            if number % SAY_EVERY == 0 or number == last - first:
                minutes = (time.monotonic() - begun) / 60
                print(f"{number} schedules in {minutes:.1f} min; {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
