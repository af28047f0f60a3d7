"""The same workflow files give the same outputs in cwltool, in plain recursion over the plan, and in the engine.

The steps run command line tools, whose hints name job types: cwltool runs the one, we run the other.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cwltool.context import LoadingContext, RuntimeContext
from cwltool.errors import WorkflowException
from cwltool.factory import Callable, Factory, WorkflowStatus

from caroni_edge.javascript.interpreter import Interpreter, Script
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.templates.library import load_template
from caroni_edge.manager.templates.plan import Plan
from caroni_edge.manager.workflows.evaluations import work_out
from caroni_edge.manager.workflows.evaluator import scripts_of
from tests.cwl.engine import our_engine
from tests.cwl.work import JobFailed, do
from tests.reference import Failed, evaluate
from tests.unit.manager.bench import Bench

HERE = Path(__file__).parent
CASES = HERE / "cases"
ROUNDS = 50
FAILED = None
"""In the place of outputs."""

RUNS = [
    pytest.param(name, inputs, completes, id=f"{name}-{at}" + ("" if completes else "-fails"))
    for kind, completes in (("give", True), ("fail", False))
    for name, several in yaml.safe_load((CASES / "inputs.yaml").read_text(encoding="utf-8"))[kind].items()
    for at, inputs in enumerate(several)
]


@pytest.fixture(scope="module")
def cwltool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """One cwltool for all cases: what it has read of CWL's schema and of the files, it keeps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join((str(HERE), str(Path(sys.executable).parent), os.environ["PATH"])))
        logging.getLogger("cwltool").setLevel(logging.CRITICAL)
        directory = str(tmp_path_factory.mktemp("cwltool"))
        running = RuntimeContext({"outdir": directory, "tmpdir_prefix": f"{directory}/"})
        yield Factory(loading_context=LoadingContext({"disable_js_validation": True}), runtime_context=running)


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    """What runs JavaScript, for all three."""
    with our_engine() as running:
        yield running


@cache
def loaded(cwltool: Factory, name: str) -> Callable:
    """Let cwltool read and check a file."""
    return cwltool.make(str(CASES / f"{name}.cwl"))


def by_cwltool(cwltool: Factory, name: str, inputs: dict[str, Any]) -> Any:
    """Return what cwltool says that a workflow gives."""
    workflow = loaded(cwltool, name)
    try:
        return workflow(**inputs)
    except (WorkflowStatus, WorkflowException):
        return FAILED


def by_recursion(plan: Plan, inputs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return what plain recursion over the plan gives."""

    def script(body: str, library: tuple[str, ...], inputs: Mapping[str, Any], self_value: Any) -> Any:
        answer = interpreter.answer(Script(body, {"inputs": inputs, "self": self_value}, library))
        if answer.error is not None:
            raise Failed(answer.error)
        return answer.value

    try:
        return evaluate(plan, inputs, do, script)
    except (Failed, JobFailed):
        return FAILED


def by_engine(plan: Plan, inputs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return what a manager says that the workflow has given, with one agent that does what there is."""
    bench = Bench(plan, attempts=1)
    bench.presence(types=plan.job_types)
    bench.start(plan.template, inputs=inputs)
    for _ in range(ROUNDS):
        while bench.evaluations:
            asked = bench.evaluations.pop(0)
            bench.arrive(work_out(asked, scripts_of(asked, interpreter.answer)))
        if bench.workflow_state() in {WorkflowState.COMPLETED, WorkflowState.FAILED}:
            break
        for job_type in sorted(plan.job_types):
            for job in bench.place_all("a1", job_type, ready=10) if bench.is_ready(job_type) else []:
                try:
                    bench.complete(job.job, **do(job.job_type, job.inputs))
                except JobFailed:
                    bench.fail(job.job)
        bench.advance(0.1)
    else:
        raise AssertionError(f"the workflow is {bench.workflow_state()}, and nothing goes on")
    return bench.outputs() if bench.workflow_state() is WorkflowState.COMPLETED else FAILED


@pytest.mark.parametrize(("name", "inputs", "completes"), RUNS)
def test_all_three_agree(
    cwltool: Factory, interpreter: Interpreter, name: str, inputs: dict[str, Any], completes: bool
) -> None:
    expected = by_cwltool(cwltool, name, inputs)
    assert (expected is not FAILED) == completes
    plan = load_template(CASES / f"{name}.cwl").plan
    assert by_recursion(plan, inputs, interpreter) == expected
    assert by_engine(plan, inputs, interpreter) == expected


def test_every_case_is_run() -> None:
    assert {run.values[0] for run in RUNS} == {path.stem for path in CASES.glob("*.cwl")}
