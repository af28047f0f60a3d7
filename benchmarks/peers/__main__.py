"""Caroni Edge beside what people would take instead: Celery with RabbitMQ, HyperQueue, and `xargs -P`.

All do the same: chains of three `bash -c`, of which each gets what the one before gave, and single ones. In each round
each has its turn, in another order each time, while the others wait; every result is looked at. What counts are the
ratios within a round, and the median of these: the machine may be busy with other things, whose share of the processor
is said. The others are installed below `build/`, never among our own packages. Nothing passes or fails here.

What each has on disk when it says that something is done is in docs/performance.md: it is not the same.

    python -m benchmarks.peers [--rounds 5] [--chains 300] [--jobs 1000] [--slots 2] [--without NAME]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "peers"
PACKAGES = ("celery==5.7.0", "hyperqueue==0.27.0")
OURS = "caroni"
CONTENDERS = {
    OURS: ("caroni", sys.executable),
    "celery": ("celery_rabbitmq", str(BUILD / "bin" / "python")),
    "hyperqueue": ("hyperqueue_cluster", str(BUILD / "bin" / "python")),
    "xargs": ("xargs", sys.executable),
}
"""The module of each, and the Python that runs it."""


class Contender:
    """A contender that is ready."""

    def __init__(self, name: str, slots: int, opened: ExitStack) -> None:
        """Start it, and wait until it is ready."""
        module, python = CONTENDERS[name]
        self.name = name
        command = [python, "-m", f"benchmarks.peers.{module}", str(slots)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = opened.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ)
        )
        self._read()

    def run(self, kind: str, count: int) -> tuple[float, float]:
        """Return how many it has done a second, and the share of the processors that others had meanwhile."""
        before, own_before = busy_s(), self._cpu_s()
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {count}\n")
        self._process.stdin.flush()
        took_s = float(self._read())
        others_s = busy_s() - before - (self._cpu_s() - own_before)
        return count / took_s, max(0.0, others_s / took_s / (os.cpu_count() or 1))

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has ended")
        return line

    def _cpu_s(self) -> float:
        return sum(cpu_s(pid) for pid in family(self._process.pid))


def busy_s() -> float:
    """Return for how long the processors of this machine have worked."""
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = Path("/proc/stat").read_text().split()[1:]
    return sum(map(int, (user, nice, system, irq, soft, steal))) / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, and of its children that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def family(top: int) -> set[int]:
    """Return a process and all that come of it, those too that are nobody's child any more but of its session's."""
    parents = {pid: _parent_and_directory(pid) for pid in _pids()}
    found, directories = {top}, set[str]()
    while True:
        more = {pid for pid, (parent, _) in parents.items() if parent in found} - found
        directories |= {directory for pid, (_, directory) in parents.items() if pid in found | more and directory}
        more |= {pid for pid, (_, directory) in parents.items() if directory in directories} - found
        if not more:
            return found
        found |= more


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _parent_and_directory(pid: int) -> tuple[int, str]:
    """Return the parent of a process, and the temporary directory of a contender that its command names, if any."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return 0, ""
    start = words.find("/caroni-peers-")
    return parent, words[start : start + len("/caroni-peers-") + 8] if start >= 0 else ""


def install() -> None:
    """Install the others into an environment of their own, if they are not there."""
    if not (BUILD / "bin" / "celery").exists() or not (BUILD / "bin" / "hq").exists():
        venv.create(BUILD, with_pip=True)
        subprocess.run([BUILD / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chains", type=int, default=300, help="chains in each turn")
    parser.add_argument("--jobs", type=int, default=1000, help="single jobs in each turn")
    parser.add_argument("--slots", type=int, default=2, help="how many may run at a time")
    parser.add_argument("--without", action="append", default=[], choices=[*CONTENDERS], help="leave one out")
    options = parser.parse_args()
    install()
    rates: dict[str, list[dict[str, float]]] = {"chains": [], "jobs": []}
    with ExitStack() as opened:
        names = [name for name in CONTENDERS if name not in options.without]
        contenders = [Contender(name, options.slots, opened) for name in names]
        for number in range(options.rounds):
            for kind, count in (("chains", options.chains), ("jobs", options.jobs)):
                turns = contenders[number % len(contenders) :] + contenders[: number % len(contenders)]
                rates[kind].append({})
                for contender in turns:
                    rate, others = contender.run(kind, count)
                    rates[kind][-1][contender.name] = rate
                    said = f"round {number + 1}: {contender.name} {rate:.1f} {kind}/s"
                    print(f"{said} (others had {others:.0%} of the processors)", file=sys.stderr)
    show(rates)


def show(rates: dict[str, list[dict[str, float]]]) -> None:
    """Print the median rate of each, and the median of the ratios within each round."""
    report: dict[str, dict[str, dict[str, float]]] = {}
    for kind, rounds in rates.items():
        report[kind] = {}
        for name in rounds[0]:
            facts = {"a_second": round(statistics.median(each[name] for each in rounds), 1)}
            if OURS in rounds[0] and name != OURS:
                facts["ours_by_it"] = round(statistics.median(each[OURS] / each[name] for each in rounds), 2)
            report[kind][name] = facts
            print(f"{kind:7} {name:11} " + "  ".join(f"{key} {value}" for key, value in facts.items()), file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
