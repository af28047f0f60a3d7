"""Places where a test lets this process die, as `kill -9` would, to show that a crash just there loses nothing.

`CARONI_FAILPOINTS="after-commit=0.01,before-publish=0.01"` gives some of the `PLACES` a chance. Only a source checkout
reads it: an installed package and a binary have no tests beside them.
"""

import os
import random
import signal
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "CARONI_FAILPOINTS"

PLACES = (
    # The loop of a node, in its order.
    "before-commit",
    "after-commit",
    "after-deeds",
    "after-acks",
    "before-answer",
    # The connection: something has just gone out.
    "after-write",
    # An agent's runner.
    "before-start-request",
    "after-start-request",
    "before-end-delivered",
    # A keeper.
    "before-start-record",
    "after-start-record",
    "after-spawn",
    "before-end-record",
    "after-end-record",
)


def read(environ: Mapping[str, str], root: Path) -> dict[str, float]:
    """Return the chance of each place that has one.

    Args:
        environ: The environment.
        root: What the package lies in.

    Raises:
        ValueError: There is no such place, or that is no chance.
    """
    text = environ.get(VARIABLE, "")
    if not text or not (root / "tests" / "chaos").is_dir():
        return {}
    chances = {name: float(chance) for name, _, chance in (part.partition("=") for part in text.split(","))}
    if unknown := chances.keys() - set(PLACES):
        raise ValueError(f"{VARIABLE}: there is no {', '.join(sorted(unknown))} among {', '.join(PLACES)}")
    return chances


_CHANCES = read(os.environ, Path(__file__).parents[2])


def failpoint(place: str) -> None:
    """Die here by SIGKILL, as often as a test has asked for; without a test, do nothing."""
    if _CHANCES and random.random() < _CHANCES.get(place, 0.0):  # noqa: S311 - no secret depends on it
        os.write(2, f"failpoint {place}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
