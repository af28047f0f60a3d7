"""What runs in the simulated federation: job types, plans of them, and what a plan gives."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from caroni_edge.agent.jobtypes import Command, JobType, JobTypes
from caroni_edge.agent.limits import Limits
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.manager.templates.library import Template, Templates
from caroni_edge.manager.templates.plan import Link, Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput, plan_hash
from caroni_edge.values.parsing import parse_type
from tests import reference
from tests.simulation.contents import (
    directory_saying,
    file_outside,
    file_saying,
    list_saying,
    read_in,
    said_by,
    texts_in,
    told,
)

TYPES = reference.TYPES
TAKES: Mapping[str, Mapping[str, str]] = {
    "paint": {"a": "string"},
    "frame": {"a": "File", "b": "File?"},
    "read": {"a": "File", "b": "File?"},
    "pack": {"a": "string"},
    "bind": {"a": "Directory", "b": "File?"},
    "index": {"a": "Directory", "b": "Directory?"},
    "spell": {"a": "string"},
    "turn": {"a": "string[]"},
    "tell": {"a": "string[]", "b": "string?"},
}
"""What job types with large files, directories and lists take; all lists are too large to be told."""
GIVES: Mapping[str, Mapping[str, str]] = {
    "paint": {"file": "File"},
    "frame": {"file": "File"},
    "pack": {"folder": "Directory"},
    "bind": {"folder": "Directory"},
    "spell": {"words": "string[]"},
    "turn": {"words": "string[]"},
}
"""What they give; what is not named gives a string."""
FILE_TYPES = tuple(TAKES)
TAKE_FILES = tuple(name for name, takes in TAKES.items() if takes["a"] != "string")
TAKE_FROM_OUTSIDE = ("frame", "read")
_TAKES_TEXT, _GIVES_TEXT = {"a": "string", "b": "string?"}, {"out": "string"}
ALL_TYPES = (*TYPES, *FILE_TYPES)
BRANCHING = 12
"""So many plans with scatter, conditions, nested workflows and limits."""
SCRIPTED = 3
"""So many of the same kind with JavaScript."""


def result(order: JobOrder) -> dict[str, Any]:
    """What a job of the simulation computes."""
    return told(_do(order.job_type.name, read_in(order.inputs)))


def _do(job_type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Name the job type and all that it was given, in a string, in files or in a list."""
    said = reference.join(job_type, {name: value and said_by(value) for name, value in inputs.items()})["out"]
    match job_type:
        case "paint" | "frame":
            return {"file": file_saying(said)}
        case "pack":  # one file is the same in all directories, whosever they are
            texts = {"a": f"{said}/a", "in/a": f"{said}/in/a", "in/b": f"{said}/in/b", "run": "run/"}
            return {"folder": directory_saying(texts)}
        case "bind":
            return {"folder": directory_saying({**texts_in(inputs["a"]), "more": f"{said}/more"})}
        case "spell":
            return {"words": list_saying(said)}
        case "turn":
            return {"words": inputs["a"][::-1]}
    return {"out": said}


def chain(length: int) -> Plan:
    """Steps in a row, of job types in turn."""
    steps = []
    source = Source(workflow_input="x")
    for number in range(length):
        steps.append(_step(f"s{number}", TYPES[number % len(TYPES)], {"a": source}))
        source = Source(step=f"s{number}", output="out")
    return _plan(f"chain{length}", steps, source)


def diamond() -> Plan:
    """One step, two that take its output, one that takes theirs."""
    first, left, right = (Source(step=name, output="out") for name in ("first", "left", "right"))
    steps = [
        _step("first", "red", {"a": Source(workflow_input="x")}),
        _step("left", "green", {"a": first}),
        _step("right", "blue", {"a": first}),
        _step("last", "red", {"a": left, "b": right}),
    ]
    return _plan("diamond", steps, Source(step="last", output="out"))


def bound() -> Plan:
    """Two steps in a row that only the first agent may take."""
    first = replace(_step("s0", "red", {"a": Source(workflow_input="x")}), agents=("a0",))
    second = replace(_step("s1", "red", {"a": Source(step="s0", output="out")}), agents=("a0",))
    return _plan("bound", [first, second], Source(step="s1", output="out"))


def relay() -> Plan:
    """A file that is made, changed and read, perhaps each time elsewhere."""
    painted, framed = Source(step="paint", output="file"), Source(step="frame", output="file")
    steps = [
        _step("paint", "paint", {"a": Source(workflow_input="x")}),
        _step("frame", "frame", {"a": painted}),
        _step("read", "read", {"a": framed, "b": painted}),
    ]
    return _plan("relay", steps, Source(step="read", output="out"))


def album() -> Plan:
    """Two files that come together in a third one, which is an output of the workflow."""
    left, right = Source(step="left", output="file"), Source(step="right", output="file")
    steps = [
        _step("name", "red", {"a": Source(workflow_input="x")}),
        _step("left", "paint", {"a": Source(workflow_input="x")}),
        _step("right", "paint", {"a": Source(step="name", output="out")}),
        _step("both", "frame", {"a": left, "b": right}),
    ]
    return _plan("album", steps, Source(step="both", output="file"), "File")


def gallery() -> Plan:
    """Many files, each of which is read by itself."""
    texts = StepInput("a", "string", Link((Source(workflow_input="many"),)))
    made = PlanStep("paint", "paint", inputs=(texts,), outputs={"file": "File"}, out=("file",), scatter=("a",))
    files = StepInput("a", "File", Link((Source(step="paint", output="file"),)))
    read = PlanStep("read", "read", inputs=(files,), outputs={"out": "string"}, out=("out",), scatter=("a",))
    output = PlanOutput("result", "string[]", Link((Source(step="read", output="out"),)))
    return Plan("gallery", (PlanInput("many", "string[]"),), (output,), (made, read))


def clipping() -> Plan:
    """A file from outside that is read."""
    return _from_outside("clipping", [_step("read", "read", {"a": _OUTSIDE})])


def collage() -> Plan:
    """A file from outside that is there before the one that it comes together with, and is taken a second time."""
    steps = [
        _step("paint", "paint", {"a": Source(workflow_input="x")}),
        _step("both", "frame", {"a": Source(step="paint", output="file"), "b": _OUTSIDE}),
        _step("read", "read", {"a": Source(step="both", output="file"), "b": _OUTSIDE}),
    ]
    return _from_outside("collage", steps)


def folders() -> Plan:
    """A directory that is made, one with all of its files and another one, and somebody who looks into both."""
    packed, bound_ = Source(step="pack", output="folder"), Source(step="bind", output="folder")
    steps = [
        _step("pack", "pack", {"a": Source(workflow_input="x")}),
        _step("paint", "paint", {"a": Source(workflow_input="x")}),
        _step("bind", "bind", {"a": packed, "b": Source(step="paint", output="file")}),
        _step("index", "index", {"a": bound_, "b": packed}),
    ]
    return _plan("folders", steps, Source(step="index", output="out"))


def shelf() -> Plan:
    """A directory that is an output of the workflow, and has files of one that is none."""
    steps = [
        _step("pack", "pack", {"a": Source(workflow_input="x")}),
        _step("bind", "bind", {"a": Source(step="pack", output="folder")}),
    ]
    return _plan("shelf", steps, Source(step="bind", output="folder"), "Directory")


def brought() -> Plan:
    """A directory that somebody brings, one with all of its files and another one, and somebody who looks into both."""
    given = Source(workflow_input="folder")
    steps = [
        _step("paint", "paint", {"a": Source(workflow_input="x")}),
        _step("bind", "bind", {"a": given, "b": Source(step="paint", output="file")}),
        _step("index", "index", {"a": Source(step="bind", output="folder"), "b": given}),
    ]
    plan = _plan("brought", steps, Source(step="index", output="out"))
    return replace(plan, inputs=(*plan.inputs, PlanInput("folder", "Directory")))


def spelled() -> Plan:
    """A large list that is made, turned and told, perhaps each time elsewhere; the manager does not look into it."""
    steps = [
        _step("spell", "spell", {"a": Source(workflow_input="x")}),
        _step("turn", "turn", {"a": _WORDS}),
        _step("tell", "tell", {"a": Source(step="turn", output="words")}),
    ]
    return _plan("spelled", steps, Source(step="tell", output="out"))


def looked() -> Plan:
    """A large list into which expressions look: one makes an input of it, another one decides about a step."""
    words = StepInput("a", "string[]", Link((_WORDS,)))
    first = StepInput("b", "string?", None, None, "$(inputs.a[0])")
    facts: dict[str, Any] = {"outputs": _GIVES_TEXT, "out": ("out",), "library": 0}
    steps = (
        _step("spell", "spell", {"a": Source(workflow_input="x")}),
        PlanStep("first", "tell", inputs=(words, first), **facts),
        PlanStep("if", "tell", inputs=(words,), when="$(inputs.a.length > 1)", **facts),
    )
    outputs = [PlanOutput(name, "string?", Link((Source(step=name, output="out"),))) for name in ("first", "if")]
    return Plan("looked", (PlanInput("x", "string"),), tuple(outputs), steps, libraries=((),))


def spread() -> Plan:
    """A step that is scattered over a large list."""
    return _spread("spread", Link((_WORDS,)), [_step("spell", "spell", {"a": Source(workflow_input="x")})])


def merged() -> Plan:
    """Two large lists that become one."""
    steps = [*_two_lists(), _step("turn", "turn", {"a": _WORDS})]
    both = StepInput("a", "string[]", Link(_BOTH, "merge_flattened"))
    steps[-1] = replace(steps[-1], inputs=(both,))
    steps.append(_step("tell", "tell", {"a": Source(step="turn", output="words")}))
    return _plan("merged", steps, Source(step="tell", output="out"))


def gathered() -> Plan:
    """A step that is scattered over what two large lists have become."""
    return _spread("gathered", Link(_BOTH, "merge_flattened"), _two_lists())


def picked() -> Plan:
    """A large list of which one item is taken, for a step and as an output."""
    link = Link((_WORDS,), None, "first_non_null")
    blue = replace(_step("blue", "blue", {}), inputs=(StepInput("a", "string", link),))
    plan = _plan("picked", [_step("spell", "spell", {"a": Source(workflow_input="x")}), blue], _WORDS)
    outputs = (
        PlanOutput("item", "string", link),
        PlanOutput("out", "string", Link((Source(step="blue", output="out"),))),
    )
    return replace(plan, outputs=outputs)


def bundled() -> Plan:
    """Two large lists that become one, which is an output of the workflow."""
    plan = _plan("bundled", _two_lists(), _WORDS)
    return replace(plan, outputs=(PlanOutput("result", "string[]", Link(_BOTH, "merge_flattened")),))


def wrapped() -> Plan:
    """A nested workflow that gives two large lists as one, which a step takes and which is an output, too."""
    inner = replace(bundled(), template="inner")
    given = StepInput("x", "string", Link((Source(workflow_input="x"),)))
    deep = PlanStep("deep", workflow=inner, inputs=(given,), outputs={"result": "string[]"}, out=("result",))
    words = Source(step="deep", output="result")
    plan = _plan("wrapped", [deep, _step("tell", "tell", {"a": words})], words, "string[]")
    return replace(
        plan, outputs=(*plan.outputs, PlanOutput("told", "string", Link((Source(step="tell", output="out"),))))
    )


def listed() -> Plan:
    """A directory, of which an expression sees what is in it."""
    folder = StepInput("a", "Directory", Link((Source(step="pack", output="folder"),)), files=_LISTED)
    index = replace(_step("index", "index", {}), inputs=(folder,), when="$(inputs.a.listing.length === 4)", library=0)
    plan = _plan("listed", [_step("pack", "pack", {"a": Source(workflow_input="x")}), index], _WORDS)
    outputs = (PlanOutput("result", "string?", Link((Source(step="index", output="out"),))),)
    return replace(plan, outputs=outputs, libraries=((),))


_OUTSIDE = Source(workflow_input="outside")
_LISTED = FileUse(load_listing="shallow_listing")
_WORDS = Source(step="spell", output="words")
_BOTH = (_WORDS, Source(step="again", output="words"))


def _two_lists() -> list[PlanStep]:
    named = Source(step="name", output="out")
    x = Source(workflow_input="x")
    return [_step("spell", "spell", {"a": x}), _step("name", "red", {"a": x}), _step("again", "spell", {"a": named})]


def _spread(name: str, link: Link, steps: list[PlanStep]) -> Plan:
    each = replace(_step("each", "blue", {}), inputs=(StepInput("a", "string", link),), scatter=("a",))
    return _plan(name, [*steps, each], Source(step="each", output="out"), "string[]")


def _from_outside(name: str, steps: list[PlanStep]) -> Plan:
    plan = _plan(name, steps, Source(step="read", output="out"))
    return replace(plan, inputs=(*plan.inputs, PlanInput("outside", "File")))


def branching(number: int) -> Plan:
    """A plan that branches out: most of them small, so that many schedules can be played."""
    large = number == 0
    return reference.random_plan(
        Random(f"plan {number}"), f"branching{number}", depth=2 if large else 1, most_steps=4 if large else 3
    )


def scripted(number: int) -> Plan:
    """A small plan that branches out, with JavaScript in its expressions, and expressions for steps."""
    chance = Random(f"script {number}")
    return reference.random_plan(chance, f"scripted{number}", depth=1, most_steps=3, has_scripts=True)


def inputs_of(plan: Plan, value: str) -> dict[str, Any]:
    """Return what a workflow is started with, so that each gives something else."""
    all_inputs = {"x": value, "many": [f"{value}-{number}" for number in range(2)], "yes": True, "no": False}
    texts = {"a": f"{value}/brought/a", "in/b": f"{value}/brought/b", "run": "run/"}
    values = {**all_inputs, "folder": directory_saying(texts), "outside": file_outside(value)}
    return {each.name: values[each.name] for each in plan.inputs}


def expected(plan: Plan, value: str) -> dict[str, Any]:
    """Evaluate a plan by plain recursion."""
    return reference.evaluate(plan, inputs_of(plan, value), _do)


def job_types(names: list[str], once: frozenset[str]) -> JobTypes:
    """Return the job types of an agent; those in `once` may not be repeated by themselves."""
    return JobTypes(loaded={name: _job_type(name, repeat=name not in once) for name in names}, errors={})


def _step(name: str, job_type: str, inputs: dict[str, Source]) -> PlanStep:
    takes = TAKES.get(job_type, _TAKES_TEXT)
    given = tuple(StepInput(name=key, type=takes[key], link=Link((source,))) for key, source in inputs.items())
    outputs = {**GIVES.get(job_type, _GIVES_TEXT)}
    return PlanStep(name=name, job_type=job_type, inputs=given, outputs=outputs, out=tuple(outputs))


def _plan(name: str, steps: list[PlanStep], last: Source, kind: str = "string") -> Plan:
    output = PlanOutput(name="result", type=kind, link=Link((last,)))
    return Plan(template=name, inputs=(PlanInput(name="x", type="string"),), outputs=(output,), steps=tuple(steps))


def _template(plan: Plan) -> Template:
    return Template(plan.template, Path(f"{plan.template}.cwl"), plan, plan_hash(plan), (), "")


_INPUTS = {"red": _TAKES_TEXT, **TAKES}


def _job_type(name: str, *, repeat: bool) -> JobType:
    outputs = GIVES.get(name, _GIVES_TEXT)
    return JobType(
        name=name,
        inputs={key: parse_type(kind) for key, kind in _INPUTS.get(name, {"a": "string"}).items()},
        outputs={key: parse_type(kind) for key, kind in outputs.items()},
        runs=Command(("true",)),
        environment={},
        limits=Limits(),
        repeat=repeat,
        path=Path(f"{name}.yaml"),
    )


PLAIN = {plan.template: plan for plan in (chain(1), chain(3), chain(5), diamond())}
SCRIPTS = {plan.template: plan for plan in map(scripted, range(SCRIPTED))}
PLANS = {**PLAIN, **{plan.template: plan for plan in map(branching, range(BRANCHING))}, **SCRIPTS}
BOUND = {plan.template: plan for plan in (bound(),)}
"""Where it is known that an agent is always there."""
WITH_FILES = {plan.template: plan for plan in (relay(), album(), gallery())}
WITH_DIRECTORIES = {plan.template: plan for plan in (folders(), shelf(), listed())}
WITH_LISTS = {
    plan.template: plan
    for plan in (spelled(), looked(), spread(), merged(), gathered(), picked(), bundled(), wrapped())
}
FROM_OUTSIDE = {plan.template: plan for plan in (clipping(), collage())}
FILED = {**WITH_FILES, **WITH_DIRECTORIES, **WITH_LISTS, **FROM_OUTSIDE}
"""Where agents serve job types with files (`Federation`, `has_files`)."""
BROUGHT = {plan.template: plan for plan in (brought(),)}
"""Where somebody brings what they begin with (`bringing.py`)."""
ALL = {**PLANS, **BOUND, **FILED, **BROUGHT}
TEMPLATES = Templates(loaded={name: _template(plan) for name, plan in ALL.items()}, errors={})
