"""One cause, one error: whatever is wrong in a template, nothing is said that only follows from it."""

from pathlib import Path

import pytest

from tests.unit.manager.templates.test_library import compiled, said_of

BASE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs:
  message: string
  list: string[]
  flag: boolean
  note: string?
outputs:
  result: {type: string, outputSource: second/jobout}
  all: {type: "string[]", outputSource: many/jobout}
  some: {type: "string[]", outputSource: [first/jobout, second/jobout], linkMerge: merge_nested}
  picked: {type: string, outputSource: [sometimes/jobout, first/jobout], pickValue: first_non_null}
steps:
  first:
    in: {message: message}
    out: [jobout]
    run: tool.cwl
  second:
    in: {message: first/jobout}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: upper}}
  many:
    in: {message: list}
    scatter: message
    out: [jobout]
    run: tool.cwl
  sometimes:
    in: {message: first/jobout, flag: flag}
    when: $(inputs.flag)
    out: [jobout]
    run: tool.cwl
  made:
    in: {message: {valueFrom: $(inputs.other)}, other: message}
    out: []
    run: tool.cwl
  last:
    in: {message: {source: [note, message], pickValue: first_non_null}}
    out: [jobout]
    run: tool.cwl
  merged:
    in: {lists: {source: [list, list], linkMerge: merge_flattened}}
    out: []
    run: {class: Operation, inputs: {lists: "string[]"}, outputs: {}, hints: {caroni:JobType: {name: l}}}
"""
MISTAKES = [
    ("step no object", "  first:\n    in: {message: message}\n    out: [jobout]\n    run: tool.cwl\n", "  first: 3\n"),
    ("step bad name", "  first:\n    in: {mess", '  "fi rst":\n    in: {mess'),
    ("input bad name", "  message: string\n", '  "mess age": string\n'),
    ("input bad type", "  message: string\n", "  message: strin\n"),
    ("list bad type", "  list: string[]\n", "  list: strin[]\n"),
    ("out no list", "    in: {message: message}\n    out: [jobout]", "    in: {message: message}\n    out: jobout"),
    ("out item bad", "    in: {message: message}\n    out: [jobout]", "    in: {message: message}\n    out: [3]"),
    ("out unknown", "    in: {message: message}\n    out: [jobout]", "    in: {message: message}\n    out: [jobuot]"),
    ("out missing", "    in: {message: message}\n    out: [jobout]\n", "    in: {message: message}\n"),
    (
        "run missing",
        "    in: {message: message}\n    out: [jobout]\n    run: tool.cwl",
        "    in: {message: message}\n    out: [jobout]",
    ),
    (
        "run unknown file",
        "    out: [jobout]\n    run: tool.cwl\n  second",
        "    out: [jobout]\n    run: tol.cwl\n  second",
    ),
    ("port bad type", "inputs: {message: string}\n      outputs", "inputs: {message: strin}\n      outputs"),
    ("port bad out type", "outputs: {jobout: string}", "outputs: {jobout: strin}"),
    ("ports no map", "inputs: {message: string}\n      outputs", "inputs: 3\n      outputs"),
    ("out ports no map", "outputs: {jobout: string}", "outputs: 3"),
    ("port bad name", "inputs: {message: string}\n      outputs", 'inputs: {"mess age": string}\n      outputs'),
    ("out port bad name", "outputs: {jobout: string}", 'outputs: {"job out": string}'),
    ("port list without id", "inputs: {message: string}\n      outputs", "inputs: [{type: string}]\n      outputs"),
    ("class wrong", "class: Operation\n      inputs: {message", "class: Opertion\n      inputs: {message"),
    ("class missing", "      class: Operation\n      inputs: {message", "      inputs: {message"),
    (
        "unknown step input",
        "in: {message: message}\n    out: [jobout]\n    run: tool.cwl\n  second",
        "in: {mesage: message}\n    out: [jobout]\n    run: tool.cwl\n  second",
    ),
    ("source unknown", "in: {message: first/jobout}", "in: {message: frst/jobout}"),
    ("source unknown out", "in: {message: first/jobout}", "in: {message: first/jobuot}"),
    ("source no text", "in: {message: first/jobout}", "in: {message: {source: 3}}"),
    ("hint bad field", "{caroni:JobType: {name: upper}}", "{caroni:JobType: {nme: upper}}"),
    ("hint bad name", "{caroni:JobType: {name: upper}}", "{caroni:JobType: {name: 'up per'}}"),
    ("hint no object", "{caroni:JobType: {name: upper}}", "{caroni:JobType: 3}"),
    ("hint misspelt", "{caroni:JobType: {name: upper}}", "{caroni:JobTyp: {name: upper}}"),
    ("hints no map", "hints: {caroni:JobType: {name: upper}}", "hints: 3"),
    ("scatter unknown", "scatter: message", "scatter: mesage"),
    ("scatter no text", "scatter: message", "scatter: 3"),
    ("when no ref", "when: $(inputs.flag)", "when: flag"),
    ("when js", "when: $(inputs.flag)", "when: ${return inputs.flag}"),
    ("when unknown", "when: $(inputs.flag)", "when: $(inputs.flg)"),
    ("when self", "when: $(inputs.flag)", "when: $(self)"),
    ("valueFrom js", "valueFrom: $(inputs.other)", 'valueFrom: "${return inputs.other}"'),
    ("valueFrom expr", "valueFrom: $(inputs.other)", "valueFrom: $(inputs.other + 1)"),
    ("valueFrom misspelt", "valueFrom: $(inputs.other)", "valueFrom: $(inputs.othr)"),
    ("valueFrom no text", "valueFrom: $(inputs.other)", "valueFrom: 3"),
    ("valueFrom field misspelt", "valueFrom: $(inputs.other)", "valueForm: $(inputs.other)"),
    ("source field misspelt", "{source: [note, message]", "{sorce: [note, message]"),
    ("pick bad", "pickValue: first_non_null}}", "pickValue: first_nonnull}}"),
    ("pick bad out", "first/jobout], pickValue: first_non_null}", "first/jobout], pickValue: first_nonnull}"),
    ("pick field misspelt", "pickValue: first_non_null}}", "pickvalue: first_non_null}}"),
    ("merge bad", "linkMerge: merge_flattened", "linkMerge: merge_flatened"),
    ("merge bad out", "linkMerge: merge_nested", "linkMerge: merge_nestd"),
    ("merge field misspelt", "linkMerge: merge_flattened", "linkmerge: merge_flattened"),
    ("scatter field misspelt", "scatter: message", "scater: message"),
    ("when field misspelt", "when: $(inputs.flag)", "wen: $(inputs.flag)"),
    ("in no map", "in: {message: message}", "in: 3"),
    ("in item no name", "in: {message: message}", "in: [{source: message}]"),
    ("in missing", "    in: {message: message}\n", ""),
    ("in field misspelt", "    in: {message: message}\n", "    inn: {message: message}\n"),
    (
        "out field misspelt",
        "    in: {message: message}\n    out: [jobout]\n",
        "    in: {message: message}\n    outt: [jobout]\n",
    ),
    (
        "run field misspelt",
        "    out: [jobout]\n    run: tool.cwl\n  second",
        "    out: [jobout]\n    runn: tool.cwl\n  second",
    ),
    ("steps no map", "steps:\n  first", "steps: 3\ncaroni_x:x:\n  first"),
    (
        "inputs no map",
        "inputs:\n  message: string\n  list: string[]\n  flag: boolean\n  note: string?\n",
        "inputs: 3\n",
    ),
    ("inputs missing", "inputs:\n  message: string\n  list: string[]\n  flag: boolean\n  note: string?\n", ""),
    ("inputs field misspelt", "inputs:\n  message: string\n", "input:\n  message: string\n"),
    ("outputs misspelt", "outputs:\n  result:", "output:\n  result:"),
    (
        "output bad type",
        "result: {type: string, outputSource: second/jobout}",
        "result: {type: strin, outputSource: second/jobout}",
    ),
    (
        "output source misspelt",
        "result: {type: string, outputSource: second/jobout}",
        "result: {type: string, outputsource: second/jobout}",
    ),
]


@pytest.mark.parametrize(("good", "bad"), [pytest.param(*each[1:], id=each[0]) for each in MISTAKES])
def test_one_cause_is_one_error(tmp_path: Path, good: str, bad: str) -> None:
    assert good in BASE
    said = said_of(tmp_path, BASE.replace(good, bad, 1))
    assert len(said) == 1, said


def test_the_template_is_good(tmp_path: Path) -> None:
    assert compiled(tmp_path, BASE).plan.steps


def test_two_causes_are_two_errors(tmp_path: Path) -> None:
    """What does not follow from a mistake is told beside it."""
    text = BASE.replace("scatter: message", "scater: message").replace("in: {message: list}", "in: {message: lst}")
    text = text.replace("result: {type: string, ", "result: {type: int, ")
    said = said_of(tmp_path, text)
    assert [each.split(":")[0] for each in said] == ["10", "28", "29"], said
