"""What one more unit of work costs as the whole grows: a curve for each axis, with its picture.

Processor time, not time: nodes of this process on databases on disk, each commit synced, with a broker in memory. So
the curves can be compared on a machine that others use too. What SQLite's virtual machine and Python's do in one unit
is counted beside it, which is the same on every machine (`tests/work.py`). Nothing passes or fails here.

    python -m benchmarks.growth [NAME…] [--most 1000] [--pictures docs/pictures]

A million finished workflows take 1.4 GB each in the folder for temporary files, and all of it half an hour; `--most`
leaves out what is larger.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.growth import agent, federation, manager
from benchmarks.growth.curves import Axis, Point, drawn, measure

AXES = {axis.name: axis for axis in (*manager.AXES, *federation.AXES, *agent.AXES)}


def main() -> None:
    """Measure, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(AXES)}; all of them without")
    parser.add_argument("--most", type=int, default=1_000_000, help="nothing is made larger than this")
    parser.add_argument("--pictures", type=Path, help="where to draw the curves: growth-NAME.svg")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in AXES]:
        parser.error(f"there is no axis {unknown[0]}: {', '.join(AXES)}")
    logging.disable(logging.ERROR)
    report: dict[str, Any] = {}
    for axis in [AXES[name] for name in options.names or AXES]:
        sizes = [size for size in axis.sizes if size <= options.most]
        with tempfile.TemporaryDirectory(prefix="caroni-bench-") as directory:
            points = measure(axis, Path(directory), sizes, lambda said: print(said, file=sys.stderr))
        print(table(axis, points), file=sys.stderr)
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            (options.pictures / f"growth-{axis.name}.svg").write_text(drawn(axis, points))
        report[axis.name] = {point.size: point.as_dict() for point in points}
    print(json.dumps(report))


def table(axis: Axis, points: list[Point]) -> str:
    """Return the figures as a row of a table in Markdown: by size, in milliseconds."""
    figures = ", ".join(f"{point.size:,}: {point.ms:.2f}" for point in points)
    return f"| {axis.unit} | {axis.title} | {figures} |"


if __name__ == "__main__":
    main()
