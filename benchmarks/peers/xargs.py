"""`xargs -P`: the limit of the machine. Nothing is durable, nothing is asked for, nobody waits for a message."""

import subprocess
import sys

from benchmarks.peers.contender import MESSAGE, STEPS, serve

LINE = "printf '%s\\n' \"${1^^}\""
"""The first step, with the end of a line in the same write: others write between two."""


def main(slots: str) -> None:
    """Run so many at a time."""

    def run(count: int, argv: list[str]) -> list[str]:
        words = f"{MESSAGE}\n" * count
        done = subprocess.run(
            ["xargs", "-P", slots, "-n", "1", *argv], input=words, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.split("\n")[:-1]

    chain = ["bash", "-c", _chain(), "-", *STEPS]
    job = ["bash", "-c", LINE, "-"]
    serve({"chains": lambda count: run(count, chain), "jobs": lambda count: run(count, job)})


def _chain() -> str:
    """Return a script that runs the steps one after the other, each in a `bash -c` of its own."""
    return 'a=$(bash -c "$1" - "$4"); b=$(bash -c "$2" - "$a"); c=$(bash -c "$3" - "$b"); echo "$c"'


if __name__ == "__main__":
    main(sys.argv[1])
