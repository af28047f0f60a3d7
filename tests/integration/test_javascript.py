"""Steps with JavaScript, and the real helper that runs it: what is hostile fails alone, and its death loses nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from random import Random

import psutil
import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.templates.library import load_template
from caroni_edge.manager.templates.plan import Plan
from caroni_edge.manager.workflows.evaluations import Outcome
from caroni_edge.manager.workflows.evaluator import SHOWN_MAX_CHARS, Evaluator
from tests.unit.manager.bench import Bench

WITHIN_S = 120.0
FLOW = """\
cwlVersion: v1.2
class: Workflow
requirements: {{InlineJavascriptRequirement: {{}}, StepInputExpressionRequirement: {{}}}}
inputs: {{n: int}}
outputs: {{r: {{type: int, outputSource: s/r}}}}
steps:
  s:
    in: {{n: {{source: n, valueFrom: {script}}}}}
    out: [r]
    run: {{class: ExpressionTool, inputs: {{n: int}}, outputs: {{r: int}}, expression: "$({{r: inputs.n * 2}})"}}
"""
GOOD = "$(self + 1)"
HOSTILE = {
    "loop": ("${ while (true) {} }", "it took more than 2 s"),
    "regex": ("$(/^(a+)+$/.test('a'.repeat(40) + 'b'))", "it took more than 2 s"),
    "memory": (
        "${ let a = []; while (true) { a.push('x'.repeat(100000) + a.length); } }",
        "it took more than 64 MB",
    ),
    "stack": ("${ function f() { return f() + 1; } return f(); }", "Maximum call stack size exceeded"),
    "error": ("${ throw new Error('no ship'); }", "Error: no ship"),
    "long": ("${ " + "// " + "x" * 300 + "\n return nobody; }", "ReferenceError: "),
    "deep": ("${ let a = 1; for (let i = 0; i < 90; i++) { a = [a]; } return a; }", "has more than 64 levels"),
}


class Running:
    """A manager's reactor, with a real evaluator."""

    def __init__(self, *plans: Plan) -> None:
        self.bench = Bench(*plans)
        self.outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.evaluator = Evaluator(self.outcomes.put)
        self.thread = threading.Thread(target=self.evaluator.run)
        self.thread.start()

    def work(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let all that is asked for be worked out, and take it."""
        asked = 0
        while True:
            for each in self.bench.evaluations:
                self.evaluator.ask(each)
            asked += len(self.bench.evaluations)
            self.bench.evaluations.clear()
            if not asked:
                return
            self.bench.arrive(self.outcomes.get(timeout=WITHIN_S))
            asked -= 1
            meanwhile()

    def close(self) -> None:
        self.evaluator.close()
        self.thread.join(WITHIN_S)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Makes such a manager of workflows with these scripts."""
    pytest.importorskip("quickjs")
    made: list[Running] = []

    def make(scripts: dict[str, str]) -> Running:
        plans = []
        for name, script in scripts.items():
            path = tmp_path / f"{name}.cwl"
            quoted = '"' + script.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
            path.write_text(FLOW.format(script=quoted))
            plans.append(load_template(path).plan)
        made.append(Running(*plans))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_is_hostile_fails_its_own_step_in_words_and_others_go_on(run: Callable[..., Running]) -> None:
    running = run({"good": GOOD, **{name: script for name, (script, _) in HOSTILE.items()}})
    bench = running.bench
    for name in HOSTILE:
        bench.start(name, f"w-{name}", inputs={"n": 1})
        bench.start("good", f"good-{name}", inputs={"n": 1})
    running.work()
    for name, (script, said) in HOSTILE.items():
        reason = bench.workflow(f"w-{name}")["reason"]
        shown = " ".join(script.split())
        shown = shown if len(shown) <= SHOWN_MAX_CHARS else f"{shown[:SHOWN_MAX_CHARS]}…"
        assert reason.startswith(f"step s: input n: {shown}: ")
        assert said in reason
        assert bench.outputs(f"good-{name}") == {"r": 4}
    assert bench.rows("SELECT * FROM evaluations") == []


def test_a_helper_that_is_killed_now_and_then_loses_nothing(run: Callable[..., Running]) -> None:
    running, chance = run({"good": GOOD}), Random(1)

    def kill() -> None:
        if chance.random() < 0.1:
            for process in psutil.Process().children():
                with suppress(psutil.NoSuchProcess):  # it has ended
                    if "caroni_edge.javascript" in process.cmdline():
                        process.kill()

    workflows = [running.bench.start("good", f"w{n}", inputs={"n": n}) for n in range(150)]
    running.work(kill)
    assert [running.bench.outputs(each) for each in workflows] == [{"r": (n + 1) * 2} for n in range(150)]


def test_a_manager_that_starts_again_has_all_worked_out_that_was_due(run: Callable[..., Running]) -> None:
    running = run({"good": GOOD})
    for number in range(20):
        running.bench.start("good", f"w{number}", inputs={"n": number})
    running.bench.restart()
    running.work()
    assert {running.bench.workflow_state(f"w{number}") for number in range(20)} == {WorkflowState.COMPLETED}


def test_time_and_chance_are_those_of_the_workflow_however_often_it_is_asked(run: Callable[..., Running]) -> None:
    running = run({"chance": "$(Math.floor(Math.random() * 1e9) + Date.now() % 1000)"})
    bench, found = running.bench, []
    bench.start("chance", "w1", inputs={"n": 1})
    bench.start("chance", "w2", inputs={"n": 1})
    for _ in range(2):
        bench.restart()
        for each in bench.evaluations:
            running.evaluator.ask(each)
        found.append([running.outcomes.get(timeout=WITHIN_S) for _ in range(2)])
    assert found[0] == found[1]
    assert found[0][0].evaluated != found[0][1].evaluated
