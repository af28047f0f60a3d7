"""What a template is put together of: files within its roots, several processes in one, older versions of CWL."""

from pathlib import Path
from textwrap import dedent

import pytest

from caroni_edge.documents import files
from caroni_edge.documents.documents import Problems
from caroni_edge.manager.templates.library import Template, load_template, load_templates

UPPER = """\
cwlVersion: v1.2
class: Operation
inputs: {message: string}
outputs: {jobout: string}
hints: {caroni:JobType: {name: upper}}
"""
HEAD = "cwlVersion: v1.2\nclass: Workflow\ninputs: {message: string}\n"
OUTPUTS = "outputs: {result: {type: string, outputSource: one/jobout}}\n"
STEP = "  one: {in: {message: message}, out: [jobout], run: RUN}\n"


def put(directory: Path, **texts: str) -> None:
    """Write files; a `__` in a name stands for a folder, and all get the suffix `.cwl`."""
    for name, text in texts.items():
        path = directory / f"{name.replace('__', '/')}.cwl"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(dedent(text))


def flow(run: str) -> str:
    """Return a workflow of one step; what it runs stands in line 6."""
    return HEAD + OUTPUTS + "steps:\n" + STEP.replace("RUN", run)


def read(directory: Path, **texts: str) -> Template:
    """Read the template `flow`, whose folder is `templates`."""
    put(directory, **texts)
    return only(directory)


def only(directory: Path, *roots: Path) -> Template:
    templates = load_templates(directory / "templates", None, roots)
    if "flow" in templates.errors:
        raise Problems(templates.errors["flow"])
    return templates.loaded["flow"]


def said(directory: Path, **texts: str) -> list[str]:
    """Return what is said of the template `flow`, as `file:line: words`."""
    with pytest.raises(Problems) as caught:
        read(directory, **texts)
    return [str(each).replace(f"{directory}/", "") for each in caught.value.problems if not each.warning]


def test_a_file_beside_is_run_within_the_templates(tmp_path: Path) -> None:
    inner = flow("../tools/upper.cwl").replace("one", "inner")
    outer = HEAD + OUTPUTS.replace("jobout", "result") + "steps:\n" + STEP.replace("RUN", "flows/inner.cwl")
    found = read(
        tmp_path,
        templates__flow=outer.replace("[jobout]", "[result]"),
        templates__flows__inner=inner,
        templates__tools__upper=UPPER,
    )
    assert found.plan.job_types == {"upper"}


@pytest.mark.parametrize(
    "run", ["../tools/upper.cwl", "../templates2/upper.cwl", "/etc/passwd", "x/../../tools/upper.cwl"]
)
def test_nothing_outside_of_the_templates_is_read(tmp_path: Path, run: str) -> None:
    (words,) = said(tmp_path, templates__flow=flow(run), tools__upper=UPPER, templates2__upper=UPPER)
    assert words == (
        f'templates/flow.cwl:6: "{run}" lies outside of templates: put it there, or name its folder in `roots` '
        "of manager.yaml"
    )


def test_a_link_leads_nowhere_outside(tmp_path: Path) -> None:
    put(tmp_path, tools__upper=UPPER, templates__flow=flow("tools/upper.cwl"))
    (tmp_path / "templates/tools").symlink_to(tmp_path / "tools")
    (words,) = said(tmp_path)
    assert '"tools/upper.cwl" lies outside of templates' in words
    assert only(tmp_path, tmp_path / "tools").plan.job_types == {"upper"}


def test_further_roots_are_read(tmp_path: Path) -> None:
    put(tmp_path, tools__upper=UPPER, templates__flow=flow("../tools/upper.cwl"))
    assert only(tmp_path, tmp_path / "tools").plan.job_types == {"upper"}


GRAPH = f"""\
cwlVersion: v1.2
$graph:
- class: Workflow
  id: NAME
  inputs: [{{id: '#NAME/message', type: string}}]
  outputs: [{{id: '#NAME/result', type: string, outputSource: '#NAME/one/jobout'}}]
  steps:
  - id: '#NAME/one'
    in: [{{id: '#NAME/one/message', source: '#NAME/message'}}]
    out: [{{id: '#NAME/one/jobout'}}]
    run: '#upper'
- {{id: upper, {", ".join(UPPER.splitlines()[1:])}}}
"""


@pytest.mark.parametrize("name", ["main", "anything"])
def test_a_packed_file_is_its_main_workflow_or_the_one_that_no_other_runs(tmp_path: Path, name: str) -> None:
    packed = read(tmp_path, templates__flow=GRAPH.replace("NAME", name)).plan
    put(tmp_path, templates__flow=flow("upper.cwl"), templates__upper=UPPER)
    assert packed == only(tmp_path).plan


def test_one_process_of_a_packed_file_is_run(tmp_path: Path) -> None:
    packed = GRAPH.replace("NAME", "main")
    assert read(tmp_path, templates__flow=flow("t/x.cwl#upper"), templates__t__x=packed).plan.job_types == {"upper"}
    (words,) = said(tmp_path, templates__flow=flow("t/x.cwl#uper"))
    assert words == (
        'templates/flow.cwl:6: "t/x.cwl#uper" names a part that is not there: no `id` there is "uper" '
        '(did you mean "upper"?)'
    )


def test_processes_of_one_file_that_run_each_other_are_told(tmp_path: Path) -> None:
    (words,) = said(tmp_path, templates__flow=GRAPH.replace("NAME", "main").replace("'#upper'", "'#main'"))
    assert words == "templates/flow.cwl:11: these run each other: flow.cwl -> flow.cwl#main"


def test_two_workflows_without_main_are_no_template(tmp_path: Path) -> None:
    more = GRAPH + "- {class: Workflow, id: other, inputs: {}, outputs: {}, steps: {}}\n"
    assert said(tmp_path, templates__flow=more.replace("NAME", "one")) == [
        'templates/flow.cwl:2: this file holds processes beside each other ("$graph"): one of them needs `id: main`'
    ]


def test_what_is_imported_has_its_own_lines_and_names_files_from_its_own_folder(tmp_path: Path) -> None:
    put(
        tmp_path,
        templates__flow=HEAD + OUTPUTS + "steps:\n  one: {$import: parts/step.cwl}\n",
        templates__parts__step="in: {message: message}\nout: [jobout]\nrun: tools/upper.cwl\n",
        templates__parts__tools__upper="\n".join([*UPPER.splitlines()[:4], "hints:", "  - $import: ../hint.cwl", ""]),
        templates__parts__hint="- {class: caroni:JobType, name: upper}\n- {class: acme:Colour}\n",
    )
    assert only(tmp_path).plan.job_types == {"upper"}
    assert said(tmp_path, templates__parts__step="in: {message: message}\nout: [jobout]\nrun: 3\n") == [
        'templates/parts/step.cwl:3: "run" is an object, or the name of a file'
    ]


def test_a_text_is_included_and_fields_are_mixed_in(tmp_path: Path) -> None:
    step = "{in: {message: {source: message, valueFrom: {$include: text.cwl}}}, out: [jobout], $mixin: run.cwl}"
    found = read(
        tmp_path,
        templates__flow=HEAD + OUTPUTS + f"steps:\n  one: {step}\n",
        templates__text="<$(self)>",
        templates__run="{run: upper.cwl, out: [nothing]}\n",
        templates__upper=UPPER,
    )
    assert found.plan.steps[0].inputs[0].value_from == "<$(self)>"
    assert found.plan.steps[0].out == ("jobout",)


def test_files_that_import_each_other_are_told_once(tmp_path: Path) -> None:
    assert said(
        tmp_path,
        templates__flow=f"{HEAD}outputs: {{}}\nsteps: {{$import: a.cwl}}\n",
        templates__a="one: {in: {}, out: [], run: {$import: b.cwl}}\n",
        templates__b="{class: Operation, hints: {JobType: {name: up}}, outputs: {},\n  inputs: {$import: a.cwl}}\n",
    ) == ["templates/b.cwl:2: these files import each other: a.cwl -> b.cwl -> a.cwl"]


def test_imports_cannot_grow_without_end(tmp_path: Path) -> None:
    ladder = {f"templates__n{at}": f"[{{$import: n{at + 1}.cwl}}, {{$import: n{at + 1}.cwl}}]\n" for at in range(12)}
    heavy = "[" + ", ".join(["x" * 2000] * 50) + "]"
    words = said(
        tmp_path,
        templates__flow=HEAD + OUTPUTS + "steps: {one: {run: {$import: n0.cwl}}}\n",
        templates__n12=heavy,
        **ladder,
    )
    assert any("becomes too large once all that it imports is written out" in each for each in words)
    chain = {f"templates__n{at}": f"{{$import: n{at + 1}.cwl}}\n" for at in range(30)}
    assert any("import each other 16 deep at most" in each for each in said(tmp_path, **chain))
    nested = "[" * 20
    deep = {f"templates__n{at}": f"{nested}{{$import: n{at + 1}.cwl}}{']' * 20}\n" for at in range(12)}
    assert any("more than 64 levels inside each other" in each for each in said(tmp_path, **deep))


def test_a_template_leads_to_a_thousand_files_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES_MAX", 2)
    steps = "".join(STEP.replace("one", f"s{at}").replace("RUN", f"t{at}.cwl") for at in range(3))
    put(tmp_path, **{f"templates__t{at}": UPPER for at in range(3)})
    (words,) = said(tmp_path, templates__flow=f"{HEAD}outputs: {{}}\nsteps:\n{steps}")
    assert words.startswith('templates/flow.cwl:8: "t2.cwl" is one file too many: a template leads to 2 files')
    monkeypatch.setattr(files, "BYTES_MAX", 200)
    (words, *_) = said(tmp_path)
    assert "the files that a template leads to have 200 bytes at most" in words


@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_older_versions_are_read_with_newer_ones(tmp_path: Path, version: str) -> None:
    old = flow("upper.cwl").replace("v1.2", version)
    plan = read(tmp_path, templates__flow=old, templates__upper=UPPER).plan
    assert plan == read(tmp_path, templates__flow=flow("upper.cwl")).plan
    assert plan == read(tmp_path, templates__upper=UPPER.replace("v1.2", version)).plan


def test_what_v1_0_called_otherwise_is_known(tmp_path: Path) -> None:
    hints = "hints:\n- {class: cwltool:TimeLimit, timelimit: 3}\n- {class: 'http://arvados.org/cwl#ReuseRequirement'}\n"
    old = flow("upper.cwl").replace("v1.2", "v1.0") + "$namespaces: {cwltool: 'http://commonwl.org/cwltool#'}\n" + hints
    warnings = [each.what for each in read(tmp_path, templates__flow=old, templates__upper=UPPER).warnings]
    assert [each.partition(" is left")[0] for each in warnings] == ["the hint ToolTimeLimit", "the hint WorkReuse"]


def test_a_file_that_is_run_has_the_version_of_what_runs_it(tmp_path: Path) -> None:
    found = read(tmp_path, templates__flow=flow("upper.cwl"), templates__upper=UPPER.partition("\n")[2])
    assert [each.what for each in found.warnings] == ['"cwlVersion" is missing: it is taken for v1.2, as what runs it']


def test_names_with_dots_and_dashes_are_names(tmp_path: Path) -> None:
    tool = UPPER.replace("message", "mess-a.ge").replace("jobout", "job.out")
    text = flow("upper.tool.cwl").replace("message", "mess-a.ge").replace("jobout", "job.out")
    put(tmp_path, **{"templates/flow.v2": text, "templates/upper.tool": tool})
    found = load_template(tmp_path / "templates/flow.v2.cwl")
    assert found.name == "flow.v2"
    assert found.plan.steps[0].inputs[0].name == "mess-a.ge"
    assert found.plan.steps[0].outputs == {"job.out": "string"}
