"""Makes mistakes in the modules that decide, one at a time, and tells which of them no test notices.

python -m tools.mutants [--count 60] [--seed 1] [--minutes 60] [FILE ...]      (make mutants)

The seed chooses the mistakes. Each is made in a copy of this checkout, where the tests run that are nearest to it, then
wider ones, until one fails: the mistake is noticed then. Without a FILE all modules that decide are meant.
"""

import argparse
import asyncio
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path, PurePath
from random import Random

from tools.mutations import Mutation, mutations
from tools.unnoticeable import UNNOTICEABLE

ROOT = Path(__file__).parents[1]
PACKAGE = "caroni_edge"
DECIDING = ("delivery", "node", "manager", "agent")
OTHERS = {
    # Rooms whose tests are of another kind: real processes, HTTP, CWL files, query plans.
    *("keeper", "pages", "processes", "store", "templates"),
    # What starts and stops a node.
    *("__init__", "api_socket", "context", "daemon", "offline", "service", "settings", "startup"),
}
"""What is left out of these, by the name of the room or of the module."""

USERS = {"delivery": ("tests/unit/node", "tests/link")}
"""Tests that are about a room though they are kept elsewhere."""

PROCESSES = 2
TEST_LIMIT_S = 60
"""A test takes seconds: one that takes this long has met an endless loop."""
STAGE_LIMIT_S = 900.0
MEMORY_LIMIT_BYTES = 4 << 30
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """A mistake in a file of this checkout.

    Attributes:
        path: The file, below the root.
        original: What it holds.
        mutation: The mistake.
    """

    path: PurePath
    original: str
    mutation: Mutation

    @property
    def title(self) -> str:
        """Say where the mistake is, and which."""
        return f"{self.path}:{self.mutation.line}: {self.mutation.kind}"

    @property
    def diff(self) -> str:
        """Return the mistake as a diff."""
        return "\n".join(self._diff(2))

    @property
    def lines(self) -> tuple[str, str]:
        """Return what stands in the lines with the mistake without it, and with it."""
        changed = self._diff(0)[2:]
        return _joined("-", changed), _joined("+", changed)

    def _diff(self, lines_around: int) -> list[str]:
        old, new = self.original.splitlines(), self.mutation.text.splitlines()
        return [*difflib.unified_diff(old, new, str(self.path), str(self.path), n=lines_around, lineterm="")]


def _joined(sign: str, changed: Sequence[str]) -> str:
    return " ".join(line[1:].strip() for line in changed if line.startswith(sign))


def deciding() -> list[PurePath]:
    """Return the modules that decide."""
    paths = (path for folder in DECIDING for path in sorted((ROOT / PACKAGE / folder).rglob("*.py")))
    return [path.relative_to(ROOT) for path in paths if not OTHERS & {*path.relative_to(ROOT).with_suffix("").parts}]


def mutants_of(paths: Sequence[PurePath]) -> Iterator[Mutant]:
    """Yield the mutants of some files, but for those of which it is said why no test can notice them."""
    for path in paths:
        text = (ROOT / path).read_text(encoding="utf-8")
        made = (Mutant(path, text, mutation) for mutation in mutations(text))
        yield from (mutant for mutant in made if mutant.lines not in UNNOTICEABLE)


def stages(path: PurePath) -> Iterator[tuple[str, ...]]:
    """Yield the tests to run for a module, as arguments of pytest: from those of its room to all that are quick."""
    folders = [str(folder) for folder in path.relative_to(PACKAGE).parents][:-1]
    rooms = [f"tests/unit/{folder}" for folder in folders]
    nearest = [tests for tests in (*rooms, *USERS.get(folders[-1], ())) if (ROOT / tests).is_dir()]
    for number, tests in enumerate(nearest):
        yield (tests, *_without(nearest[:number]))
    yield ("tests/simulation",)
    yield (*(tests for tests in ("tests/unit", "tests/link") if tests not in nearest), *_without(nearest))


def _without(folders: Sequence[str]) -> Iterator[str]:
    return (f"--ignore={folder}" for folder in folders)


class Copy:
    """A copy of the checkout as it is, with what is not committed yet: the place where mistakes are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if os.path.lexists(ROOT / name):  # deleted files are listed until that is committed
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)

    async def noticed(self, mutant: Mutant) -> str:
        """Return the first test that notices a mutant, or what else went wrong for it; nothing if no test does."""
        self._write(mutant.path, mutant.mutation.text)
        try:
            for tests in stages(mutant.path):
                if failure := await self.failure(tests):
                    return failure
            return ""
        finally:
            self._write(mutant.path, mutant.original)

    async def failure(self, tests: Sequence[str]) -> str:
        """Run tests until one fails, and return which; nothing if none does."""
        limits = ("prlimit", f"--as={MEMORY_LIMIT_BYTES}", sys.executable)
        options = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-o", f"timeout={TEST_LIMIT_S}")
        process = await asyncio.create_subprocess_exec(
            *(*limits, "-m", "pytest", *options, *tests),
            cwd=self._folder,
            # This copy's modules, in processes that a test starts elsewhere too; and compiled once.
            env={**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(STAGE_LIMIT_S):
                said = (await process.communicate())[0].decode(errors="replace")
        except TimeoutError:
            return "the limit of time"
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode == 0:
            return ""
        found = FAILED.search(said)
        return found[1] if found else f"pytest: {said.strip().rpartition(chr(10))[2]}"

    def _write(self, path: PurePath, text: str) -> None:
        target = self._folder / path
        target.write_text(text, encoding="utf-8")
        # Python tells by size and second whether compiled code is that of a source, and both can be the same here.
        Path(cache_from_source(str(target))).unlink(missing_ok=True)


class Campaign:
    """A number of mutants, and what tests say of them.

    Attributes:
        killed: Those that were noticed.
        survivors: Those that were not.
    """

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.killed: list[Mutant] = []
        self.survivors: list[Mutant] = []
        self._all = mutants
        self._left = iter(mutants)

    async def run(self, minutes: float) -> None:
        """Let tests judge the mutants, some at a time, and begin no other after so many minutes.

        Raises:
            ValueError: Tests fail as it is.
        """
        until = time.monotonic() + 60 * minutes
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copies = [Copy(Path(folder, str(number))) for number in range(PROCESSES)]
            suites = (("tests/unit", "tests/link"), ("tests/simulation",))
            checks = (copy.failure(tests) for copy, tests in zip(copies, suites, strict=True))
            if broken := [*filter(None, await asyncio.gather(*checks))]:
                raise ValueError(f"without any mistake of ours these fail already: {', '.join(broken)}")
            async with asyncio.TaskGroup() as group:
                for copy in copies:
                    group.create_task(self._judge(copy, until))

    async def _judge(self, copy: Copy, until: float) -> None:
        for mutant in self._left:
            begun = time.monotonic()
            if begun > until:
                return
            noticed_by = await copy.noticed(mutant)
            (self.killed if noticed_by else self.survivors).append(mutant)
            count = f"{len(self.killed) + len(self.survivors)}/{len(self._all)}"
            print(f"{count} {mutant.title}: {noticed_by or 'SURVIVED'} ({time.monotonic() - begun:.0f} s)", flush=True)

    def report(self) -> str:
        """Say what has survived, and how many have not."""
        judged = len(self.killed) + len(self.survivors)
        untried = f"; there was no time for {len(self._all) - judged} more" if judged < len(self._all) else ""
        diffs = (f"\n{mutant.title}\n{mutant.diff}\n" for mutant in self.survivors)
        return f"{''.join(diffs)}\n{len(self.killed)} killed of {judged}{untried}"


def main() -> None:
    """Make mistakes, and say which were not noticed; the exit status is 1 when there are such."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="make mistakes in these only")
    parser.add_argument("--count", type=int, default=60, help="how many mistakes to make at most")
    parser.add_argument("--seed", default="1", help="chooses them")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no other after this time")
    options = parser.parse_args()
    paths = [path.resolve().relative_to(ROOT) for path in options.files] or deciding()
    found = list(mutants_of(paths))
    chosen = Random(options.seed).sample(found, min(options.count, len(found)))
    print(f"{len(chosen)} of {len(found)} mistakes in {len(paths)} modules, seed {options.seed}", flush=True)
    campaign = Campaign(chosen)
    try:
        asyncio.run(campaign.run(options.minutes))
    except ValueError as error:
        sys.exit(f"mutants: {error}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    print(campaign.report())
    sys.exit(1 if campaign.survivors else 0)


if __name__ == "__main__":
    main()
