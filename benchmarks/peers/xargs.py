"""`xargs -P`: the limit of the machine. Nothing is durable, nothing is asked for, nobody waits for a message."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.peers.contender import MESSAGE, STEPS, serve

LINE = "printf '%s\\n' \"${1^^}\""
"""The first step, with the end of a line in the same write: others write between two."""


def main(slots: str) -> None:
    """Run so many at a time."""

    def run(count: int, argv: list[str]) -> Iterator[str]:
        with tempfile.TemporaryFile("w+") as words:
            words.write(f"{MESSAGE}\n" * count)
            words.seek(0)
            command = ["xargs", "-P", slots, "-n", "1", *argv]
            with subprocess.Popen(command, stdin=words, stdout=subprocess.PIPE, text=True) as running:
                assert running.stdout is not None
                yield from (line.removesuffix("\n") for line in running.stdout)

    chain = ["bash", "-c", _chain(), "-", *STEPS]
    job = ["bash", "-c", LINE, "-"]
    serve({"chains": lambda count: run(count, chain), "jobs": lambda count: run(count, job)})


def _chain() -> str:
    """Return a script that runs the steps one after the other, each in a `bash -c` of its own."""
    return 'a=$(bash -c "$1" - "$4"); b=$(bash -c "$2" - "$a"); c=$(bash -c "$3" - "$b"); echo "$c"'


if __name__ == "__main__":
    main(sys.argv[1])
