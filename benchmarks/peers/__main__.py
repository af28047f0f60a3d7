"""Caroni Edge beside what people would take instead: Celery with RabbitMQ, HyperQueue, and `xargs -P`.

All do the same: chains of three `bash -c`, of which each gets what the one before gave, and single ones. In each round
each has its turn, in another order each time, while the others wait; every result is looked at. What counts are the
ratios within a round, and the median of these: the machine may be busy with other things, whose share of the processor
is said. Processor time is that of all processes of a contender, of its jobs and of the client that asks, for each job.
The others are installed below `build/`, never among our own packages. Nothing passes or fails here.

`--single` adds how long one chain takes when the next begins after it, `--queued` how long chains take that are all
asked for at once, each from then on until its result is seen. HyperQueue's client looks once a second, and sees all
results of what was asked for together at once.

What each has on disk when it says that something is done is in docs/performance.md: it is not the same.

    python -m benchmarks.peers [--rounds 5] [--chains 300] [--jobs 1000] [--slots 2] [--single 300] [--queued 1000]
        [--without NAME]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "peers"
INSTALLED = BUILD / "installed"
PACKAGES = ("celery==5.7.0", "hyperqueue==0.27.0")
OURS = "caroni"
CONTENDERS = {
    OURS: ("caroni", sys.executable),
    "celery": ("celery_rabbitmq", str(BUILD / "bin" / "python")),
    "hyperqueue": ("hyperqueue_cluster", str(BUILD / "bin" / "python")),
    "xargs": ("xargs", sys.executable),
}
"""The module of each, and the Python that runs it."""


RATE, LATENCY = "a_second", "p50_ms"


@dataclass(frozen=True)
class Turn:
    """What each contender does in a round, one after the other.

    Attributes:
        called: In what is printed.
        kind: What the contender is told (`contender.py`).
        count: How many of it.
        jobs: How many jobs each of those is.
        compared: What of it is compared with ours.
    """

    called: str
    kind: str
    count: int
    jobs: int
    compared: str


class Contender:
    """A contender that is ready."""

    def __init__(self, name: str, slots: int, opened: ExitStack) -> None:
        """Start it, and wait until it is ready."""
        module, python = CONTENDERS[name]
        self.name = name
        command = [python, "-m", f"benchmarks.peers.{module}", str(slots)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
        self._process = opened.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ)
        )
        self._read()

    def run(self, turn: Turn) -> dict[str, float]:
        """Return what was measured; `others` is the share of the processors that others had meanwhile."""
        before, own_before = busy_s(), self._cpu_s()
        assert self._process.stdin is not None
        self._process.stdin.write(f"{turn.kind} {turn.count}\n")
        self._process.stdin.flush()
        answer = json.loads(self._read())
        own_s, took_s, each_s = self._cpu_s() - own_before, answer["took_s"], sorted(answer["each_s"])
        others_s = busy_s() - before - own_s
        found = {"cpu_ms_a_job": own_s / turn.count / turn.jobs * 1000}
        if turn.compared == RATE:
            found[RATE] = turn.count / took_s
        else:
            found |= {LATENCY: statistics.median(each_s) * 1000, "p99_ms": each_s[int(len(each_s) * 0.99)] * 1000}
        return found | {"others": max(0.0, others_s / took_s / (os.cpu_count() or 1))}

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
    packages = " ".join(PACKAGES)
    if INSTALLED.exists() and INSTALLED.read_text() == packages:
        return
    venv.create(BUILD, with_pip=True)
    subprocess.run([BUILD / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    INSTALLED.write_text(packages)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chains", type=int, default=300, help="chains in each turn; 0: none")
    parser.add_argument("--jobs", type=int, default=1000, help="single jobs in each turn; 0: none")
    parser.add_argument("--slots", type=int, default=2, help="how many may run at a time")
    parser.add_argument("--single", type=int, default=0, help="chains one after the other in each turn, say 300")
    parser.add_argument("--queued", type=int, default=0, help="chains whose latency is measured at once, say 1000")
    parser.add_argument("--without", action="append", default=[], choices=[*CONTENDERS], help="leave one out")
    options = parser.parse_args()
    turns = [
        Turn("chains", "chains", options.chains, 3, RATE),
        Turn("jobs", "jobs", options.jobs, 1, RATE),
        Turn("single", "single", options.single, 3, LATENCY),
        Turn("queued", "chains", options.queued, 3, LATENCY),
    ]
    install()
    measured: dict[Turn, list[dict[str, dict[str, float]]]] = {turn: [] for turn in turns if turn.count > 0}
    with ExitStack() as opened:
        names = [name for name in CONTENDERS if name not in options.without]
        contenders = [Contender(name, options.slots, opened) for name in names]
        for number in range(options.rounds):
            in_turn = contenders[number % len(contenders) :] + contenders[: number % len(contenders)]
            for turn, rounds in measured.items():
                rounds.append({})
                for contender in in_turn:
                    rounds[-1][contender.name] = found = contender.run(turn)
                    said = f"round {number + 1}: {turn.called:7} {contender.name:11} {_words(found)}"
                    print(said, file=sys.stderr, flush=True)
    show(measured)


def show(measured: Mapping[Turn, Sequence[Mapping[str, Mapping[str, float]]]]) -> None:
    """Print the medians of what was measured of each, and the median of how ours compares within each round."""
    report: dict[str, dict[str, dict[str, float]]] = {}
    for turn, rounds in measured.items():
        report[turn.called] = {}
        for name in rounds[0] if rounds else ():
            facts = {fact: statistics.median(each[name][fact] for each in rounds) for fact in rounds[0][name]}
            if OURS in rounds[0] and name != OURS:
                ratios = [each[OURS][turn.compared] / each[name][turn.compared] for each in rounds]
                facts["ours_by_it"] = statistics.median(ratios)
            report[turn.called][name] = {fact: round(value, 2) for fact, value in facts.items()}
            print(f"{turn.called:7} {name:11} {_words(facts)}", file=sys.stderr)
    print(json.dumps(report))


def _words(facts: Mapping[str, float]) -> str:
    return "  ".join(f"{fact} {value:.2f}" for fact, value in facts.items())


if __name__ == "__main__":
    main()
