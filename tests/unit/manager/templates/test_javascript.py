"""JavaScript in templates: where it may stand, what it sees, and what is told of it when a file is read."""

from pathlib import Path
from typing import Any

import pytest

from caroni_edge.documents.documents import Problem
from caroni_edge.javascript.interpreter import NOT_SERVED
from caroni_edge.javascript.texts import ExpressionProblem, JavaScript, ScriptDue
from caroni_edge.manager.templates import library
from caroni_edge.manager.templates.expressions import SCRIPT_LIMIT_CHARACTERS, compile_text
from caroni_edge.manager.templates.library import check_file, load_template
from caroni_edge.manager.templates.plan import Plan, ToolExpression
from tests.reference import evaluate

SERVED = "requirements: {InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}"
TOOL = "{class: ExpressionTool, inputs: {p: Any}, outputs: {y: Any}, expression: '${ return inputs; }'}"


def flow(step: str, served: str = SERVED) -> str:
    """Return a workflow with one step."""
    return f"""cwlVersion: v1.2
class: Workflow
{served}
inputs: {{a: Any}}
outputs: {{r: {{type: "Any?", outputSource: one/y}}}}
steps:
  one: {{in: {{p: a}}, out: [y], {step}}}
"""


OPERATION = (
    "run: {class: Operation, inputs: {p: Any}, outputs: {y: Any}, hints: {caroni:JobType: {name: work, agent: a1}}}"
)


def read(tmp_path: Path, text: str) -> Plan:
    """Return what a workflow becomes."""
    path = tmp_path / "flow.cwl"
    path.write_text(text, encoding="utf-8")
    return load_template(path).plan


def said_of(tmp_path: Path, text: str) -> list[Problem]:
    """Return what is said of a file."""
    path = tmp_path / "flow.cwl"
    path.write_text(text, encoding="utf-8")
    return [each for each in check_file(path).problems if not each.warning]


def parts(text: str) -> list[Any]:
    """Return what a text is made of: texts, JavaScript as an expression, references."""
    compiled = compile_text(text, javascript=True)
    return [part.code if isinstance(part, JavaScript) else getattr(part, "text", part) for part in compiled.parts]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$(inputs.a + 1)", ["(inputs.a + 1\n)"]),
        ("$(inputs.a)", ["$(inputs.a)"]),
        ("$(null)", ["$(null)"]),
        ("$(true)", ["(true\n)"]),
        ("$(other.a)", ["(other.a\n)"]),
        ("${ return 1; }", ["(function () { return 1; \n})()"]),
        ("a $(1) b ${2}", ["a ", "(1\n)", " b ", "(function () {2\n})()"]),
        ("$(')' + \"(\")x", ["(')' + \"(\"\n)", "x"]),
        ("$('\\')')", ["('\\')'\n)"]),
        ("${ if (1) { return '}'; } }!", ["(function () { if (1) { return '}'; } \n})()", "!"]),
        ("\\$(1 + 1) \\${x} $ (1)", ["\\$(1 + 1) \\${x} $ (1)".replace("\\", "")]),
        ("  $( inputs.a )\n", ["(inputs.a\n)"]),
        ("plain", ["plain"]),
    ],
)
def test_a_text_falls_into_what_stands_and_what_is_run(text: str, found: list[Any]) -> None:
    assert parts(text) == found


@pytest.mark.parametrize("text", ["$(1 + (2)", "${ return '}'", "$('1)", "$(runtime.cores)", "$(" + "x" * 70_000 + ")"])
def test_what_is_not_closed_or_means_nothing_is_told(text: str) -> None:
    with pytest.raises(ExpressionProblem):
        compile_text(text, javascript=True)


def test_a_script_may_be_longer_than_a_text_of_references() -> None:
    assert compile_text("$(1" + " " * (SCRIPT_LIMIT_CHARACTERS - 4) + ")", javascript=True).scripts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(inputs.text.length)", 4),
        ("$(inputs.text[9])", None),
        ("$(inputs.text.none)", None),
        ("$(inputs.list.none)", None),
        ("$(inputs.list[5])", None),
        ("$(inputs.number.none)", None),
        ("$(inputs.none)", None),
        ("$(self)", None),
    ],
)
def test_what_is_not_there_is_null_as_in_javascript(text: str, value: Any) -> None:
    inputs = {"text": "\U0001f600ab", "list": [1], "number": 3, "null": None}
    assert compile_text(text, javascript=True).value({"inputs": inputs, "self": None}) == value


@pytest.mark.parametrize("text", ["$(inputs.none.more)", "$(self.more)", "$(inputs.list[5].more)"])
def test_nothing_leads_on_from_null(text: str) -> None:
    with pytest.raises(ExpressionProblem):
        compile_text(text, javascript=True).value({"inputs": {"list": []}, "self": None})


def test_who_runs_no_javascript_is_told_that_there_is_some() -> None:
    with pytest.raises(ScriptDue):
        compile_text("$(inputs.a.b.c) $(1)", javascript=True).value({})


def test_the_requirement_of_a_step_or_of_what_is_around_counts_and_the_inner_one_first(tmp_path: Path) -> None:
    inner = 'requirements: {InlineJavascriptRequirement: {expressionLib: ["var x = 1;"]}}'
    assert read(tmp_path, flow(f"when: $(1 < 2), {OPERATION}")).libraries == ((),)
    plan = read(tmp_path, flow(f"when: $(x < 2), {inner}, {OPERATION}"))
    assert (plan.libraries, plan.steps[0].library) == ((("var x = 1;",),), 0)
    plan = read(tmp_path, flow(f"when: $(x < 2), {inner}, {OPERATION}", ""))
    assert plan.libraries == (("var x = 1;",),)
    tool = f"run: {TOOL[:-1]}, {inner}}}"
    plan = read(tmp_path, flow(f"when: $(1 < 2), {tool}"))
    assert plan.libraries == ((), ("var x = 1;",))
    assert plan.steps[0].expression == ToolExpression("${ return inputs; }", 1)


def test_what_a_nested_workflow_inherits_is_part_of_what_it_is(tmp_path: Path) -> None:
    nested = flow(f"when: $(x > 1), {OPERATION}", "")
    (tmp_path / "nested.cwl").write_text(nested, encoding="utf-8")
    inner = 'requirements: {InlineJavascriptRequirement: {expressionLib: ["var x = %d;"]}}'
    steps = "\n".join(
        f"  {name}: {{in: {{a: a}}, out: [r], run: nested.cwl, {inner % number}}}"
        for number, name in enumerate(("two", "three"))
    )
    plan = read(tmp_path, flow(f"{OPERATION}", "") + steps + "\n")
    nested_plans = [step.workflow for step in plan.steps if step.workflow]
    assert [each.libraries for each in nested_plans] == [(("var x = 0;",),), (("var x = 1;",),)]


def test_the_requirement_may_be_a_hint_and_the_library_a_file(tmp_path: Path) -> None:
    (tmp_path / "lib.js").write_text("function f() { return true; }\n", encoding="utf-8")
    served = "hints: {InlineJavascriptRequirement: {expressionLib: [{$include: lib.js}]}}"
    plan = read(tmp_path, flow(f"when: $(f()), {OPERATION}", served))
    assert plan.libraries == (("function f() { return true; }\n",),)


@pytest.mark.parametrize(
    ("step", "where", "said"),
    [
        (f"when: $(1 <), {OPERATION}", 7, '"$(1 <)": SyntaxError: '),
        ("run: " + TOOL.replace("return inputs", "return }"), 7, "what it is here is a text"),
        ("run: " + TOOL.replace("return inputs", "return ="), 7, '"${ return =; }": SyntaxError: '),
        ("run: " + TOOL.replace("'${ return inputs; }'", "3"), 7, '"expression" is a text that gives an object'),
        (f"run: {TOOL}, hints: {{caroni:JobType: {{name: work}}}}", 7, "a job type belongs to a step, or to what it"),
        (f"when: 'a $(1)', {OPERATION}", 7, '"when" is one reference'),
    ],
)
def test_what_is_wrong_is_told_once_with_its_line(tmp_path: Path, step: str, where: int, said: str) -> None:
    (problem,) = said_of(tmp_path, flow(step))
    assert (problem.where.endswith(f":{where}"), problem.needs) == (True, "")
    assert said in problem.what


def test_a_library_that_cannot_be_read_is_told_where_it_stands(tmp_path: Path) -> None:
    served = 'requirements: {InlineJavascriptRequirement: {expressionLib: ["function f( {"]}}'
    (problem,) = said_of(tmp_path, flow(f"when: $(f()), {OPERATION}", served))
    assert problem.where.endswith(":3")
    assert problem.what.startswith('"function f( {": SyntaxError: ')
    (problem,) = said_of(tmp_path, flow(OPERATION, served.replace('"function f( {"', "3")))
    assert problem.what.startswith('"expressionLib" is a list of texts')


def test_an_expression_tool_alone_is_checked_too(tmp_path: Path) -> None:
    text = "cwlVersion: v1.2\nclass: ExpressionTool\ninputs: {p: Any}\noutputs: {y: Any}\n"
    assert said_of(tmp_path, f"{text}expression: \"$({{'y': inputs.p}})\"\n") == []
    (problem,) = said_of(tmp_path, f"{text}expression: \"$({{'y': inputs.p)\"\n")
    assert "SyntaxError" in problem.what


def test_where_there_is_no_engine_templates_that_need_one_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "is_installed", lambda: False)
    (problem,) = said_of(tmp_path, flow(f"when: $(1 < 2), {OPERATION}"))
    assert (problem.needs, problem.what) == ("JavaScript", f'"$(1 < 2)": {NOT_SERVED}')
    assert said_of(tmp_path, flow(f"when: $(inputs.p), {OPERATION}")) == []


def test_each_input_of_an_expression_tool_is_there_though_nothing_flows_to_it(tmp_path: Path) -> None:
    tool = TOOL.replace("{p: Any}", "{p: Any, q: 'string?', s: {type: string, default: d}}")
    (step,) = read(tmp_path, flow(f"run: {tool}")).steps
    assert [(each.name, each.default) for each in step.inputs] == [("p", None), ("q", None), ("s", "d")]


def test_an_expression_tool_can_be_run_by_itself(tmp_path: Path) -> None:
    text = (
        "cwlVersion: v1.2\nclass: ExpressionTool\nrequirements: [{class: InlineJavascriptRequirement}]\n"
        "inputs: {p: int, q: {type: string, default: d}}\noutputs: [{id: y, type: Any}]\n"
    )
    plan = read(tmp_path, f"{text}expression: \"$({{'y': inputs.p}})\"\n")
    assert [(each.name, each.default) for each in plan.inputs] == [("p", None), ("q", "d")]
    assert [str(each.link.sources[0]) for each in plan.outputs] == ["expression/y"]
    (step,) = plan.steps
    assert step.expression == ToolExpression("$({'y': inputs.p})", 0)


def test_an_output_of_nothing_is_null_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "flow.cwl").write_text(flow(OPERATION).replace("outputs: {", 'outputs: {none: "string?", '))
    found = load_template(tmp_path / "flow.cwl")
    (warning,) = found.warnings
    assert warning.what == 'the output "none" has no "outputSource", as in step/output: it is null, if it may be'
    assert found.plan.outputs[0].link.sources == ()
    assert evaluate(found.plan, {"a": 1}, lambda *_: {"y": 2}) == {"none": None, "r": 2}
