"""Files beside other work: slots while a large one comes, thousands of small ones, and large values."""

import statistics
import sys
import time
from typing import Any

from benchmarks.chains import cpu_s
from benchmarks.files.badlines import Kind
from benchmarks.files.stage import ASKER, HOLDER, MOVE, SLOTS, Stage, Work, also, load, staged
from tests.chaos.work import ask
from tests.support import wait_until

SLOW = Kind("20 Mbit/s", 20_000_000)
NAP_S, ALONE_S = 5.0, 30.0
NAPS = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}
inputs: {numbers: "int[]"}
outputs: {}
steps:
  nap:
    scatter: number
    run: {class: Operation, inputs: {number: int}, outputs: {}}
    hints: {caroni:JobType: {name: nap}}
    in: {number: numbers}
    out: []
"""
NAP_TYPE = {"name": "nap", "inputs": {"number": "int"}, "outputs": {}, "script": f"sleep {NAP_S:g}\n"}

MANY = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {{caroni: "urn:caroni:cwl#"}}
requirements: {{ScatterFeatureRequirement: {{}}}}
inputs: {{numbers: "int[]"}}
outputs: {{ends: {{type: "string[]", outputSource: take/end}}}}
steps:
  make:
    scatter: number
    run: {{class: Operation, inputs: {{number: int}}, outputs: {{gives: {kind}}}}}
    hints: {{caroni:JobType: {{name: make-{name}}}}}
    in: {{number: numbers}}
    out: [gives]
  take:
    scatter: takes
    run: {{class: Operation, inputs: {{takes: {kind}}}, outputs: {{end: string}}}}
    hints: {{caroni:JobType: {{name: take-{name}}}}}
    in: {{takes: make/gives}}
    out: [end]
"""
SMALL_BYTES = 20 << 10
GIVES = {"File": "gives=file.bin", "string": "gives=some-words"}
MAKE_ONE = f"""\
head --bytes {SMALL_BYTES} /dev/urandom > file.bin
echo GIVES >> "$CARONI_OUTPUTS"
"""
TAKE_ONE = """\
echo "end=${CARONI_ENV_takes: -4}" >> "$CARONI_OUTPUTS"
"""

LARGE_CHAIN = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {letters: int}
outputs: {}
steps:
  first:
    run: {class: Operation, inputs: {letters: int}, outputs: {text: string}}
    hints: {caroni:JobType: {name: letters}}
    in: {letters: letters}
    out: [text]
  second:
    run: {class: Operation, inputs: {text: string}, outputs: {text: string}}
    hints: {caroni:JobType: {name: pass-here}}
    in: {text: first/text}
    out: [text]
  third:
    run: {class: Operation, inputs: {text: string}, outputs: {text: string}}
    hints: {caroni:JobType: {name: pass-there}}
    in: {text: second/text}
    out: [text]
"""
LETTERS = """\
printf '{"text": "%s"}' "$(head --bytes "$CARONI_ENV_letters" /dev/zero | tr '\\0' x)" > "$CARONI_OUTPUTS"
"""
PASS = """\
cp "$CARONI_INPUTS" "$CARONI_OUTPUTS"
"""


def slots(size_bytes: int) -> Any:
    """Return which share of the slots is idle while another manager has jobs: without a file, and while one comes."""
    work = also(MOVE, {"naps": NAPS}, {ASKER: [NAP_TYPE]})
    with staged(work, managers=2) as stage:
        stage.far[1].become(SLOW)
        expected_s = size_bytes * 8 / SLOW.bits_per_s
        naps = int(3 * SLOTS * (expected_s + ALONE_S) / NAP_S)
        stage.start("naps", {"numbers": list(range(naps))}, manager=1)
        wait_until(lambda: _idle(stage, time.time() - 2, time.time()) < 1, what="the first of the other jobs")
        time.sleep(ALONE_S)
        alone = _idle(stage, time.time() - ALONE_S + 5, time.time())
        window: list[float] = []
        moved = stage.move(size_bytes, lambda: window.append(time.time()))
        beside = _idle(stage, window[0], window[-1])
    facts = {"line": SLOW.name, "bytes": size_bytes, "seconds": round(moved.seconds, 1), "job_s": NAP_S}
    return {**facts, "idle_without": round(alone, 4), "idle_beside": round(beside, 4), "load": load()}


def _idle(stage: Stage, began: float, ended: float) -> float:
    """Return for which share of a time the slots of the asker had no job."""
    rows = ask(
        stage.agents[1].state_dir,
        "SELECT started, ifnull(ended, ?) AS ended FROM jobs WHERE started IS NOT NULL",
        time.time(),
    )
    busy_s: float = sum(max(0.0, min(row["ended"], ended) - max(row["started"], began)) for row in rows)
    return 1 - busy_s / (SLOTS * (ended - began))


def small(count: int) -> Any:
    """Return how fast a scatter goes whose instances hand on a small file each, and one with values; and what it costs.

    That is the processor time of manager and agents for each instance, without jobs and keepers.
    """
    found: dict[str, Any] = {"instances": count, "bytes": SMALL_BYTES}
    both = [kind_type for kind in GIVES for kind_type in (_make_type(kind), _take_type(kind))]
    templates = {f"many-{kind}": MANY.format(kind=kind, name=kind.lower()) for kind in GIVES}
    here = Work(templates, {HOLDER: both, ASKER: both})
    there = Work(templates, {HOLDER: both[::2], ASKER: both[1::2]})
    for where, work in (("at the same agent", here), ("from agent to agent", there)):
        for kind in GIVES:
            with staged(work, far=False) as stage:
                found[f"{kind}, {where}"] = _scatter(stage, kind, count)
    return found


def _scatter(stage: Stage, kind: str, count: int) -> dict[str, float]:
    stage.client.run(1, f"many-{kind}", {"numbers": [0]})
    pids = [daemon.pid for daemon in (*stage.managers, *stage.agents)]
    before_s = sum(map(cpu_s, pids))
    took_s = stage.client.run(1, f"many-{kind}", {"numbers": list(range(count))})
    used_s = sum(map(cpu_s, pids)) - before_s
    found = {"per_s": round(count / took_s, 1), "cpu_ms_of_nodes": round(used_s / count * 1000, 1), "load": load()}
    print(f"{kind}: {found}", file=sys.stderr)
    return found


def _make_type(kind: str) -> dict[str, Any]:
    script = MAKE_ONE.replace("GIVES", GIVES[kind])
    return {"name": f"make-{kind.lower()}", "inputs": {"number": "int"}, "outputs": {"gives": kind}, "script": script}


def _take_type(kind: str) -> dict[str, Any]:
    return {"name": f"take-{kind.lower()}", "inputs": {"takes": kind}, "outputs": {"end": "string"}, "script": TAKE_ONE}


def values(size_bytes: int) -> Any:
    """Return how long a chain of three takes through which a large value goes, the last time to another agent."""
    passing: dict[str, Any] = {"inputs": {"text": "string"}, "outputs": {"text": "string"}, "script": PASS}
    limits = {"limits": {"output": "64M"}}
    letters = {"name": "letters", "inputs": {"letters": "int"}, "outputs": {"text": "string"}, "script": LETTERS}
    types = {
        HOLDER: [{**letters, **limits}, {"name": "pass-here", **passing, **limits}],
        ASKER: [{"name": "pass-there", **passing, **limits}],
    }
    found: dict[str, Any] = {}
    with staged(Work({"large": LARGE_CHAIN}, types), far=False) as stage:
        stage.client.run(1, "large", {"letters": 10})
        for letters_each in (10, size_bytes):
            took = [stage.client.run(1, "large", {"letters": letters_each}) for _ in range(7)]
            found[f"{letters_each} bytes"] = {
                "median_s": round(statistics.median(took), 2),
                "most_s": round(max(took), 2),
            }
    return {**found, "load": load()}
