"""Parameter references: what they give, what they refuse, and that nothing makes them fall over."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.javascript.texts import LIMIT_CHARACTERS, ExpressionProblem
from caroni_edge.manager.templates.expressions import compile_text, references
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES

INPUTS: Mapping[str, Any] = {
    "ship": {"name": "Vera", "any name": 7, "quote's": 8, 'double"s': 9, "length": 45.5, "ort": "Köln"},
    "list": ["a", {"b": [10, 20]}, None],
    "none": None,
    "yes": True,
    "three": 3,
    "text": 'a "quoted" $(inputs.yes) \\$( text',
    "größe": "XL",
    "length": "of the inputs",
}


def value_of(text: str, inputs: Mapping[str, Any], self_value: Any = None) -> Any:
    """Return what a text gives, where nobody runs JavaScript."""
    return compile_text(text).value({"inputs": inputs, "self": self_value})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(inputs.ship)", INPUTS["ship"]),
        ("$(inputs.ship.name)", "Vera"),
        ("$(inputs['ship'][\"any name\"])", 7),
        (r"$(inputs.ship['quote\'s'])", 8),
        ('$(inputs.ship["quote\'s"])', 8),
        (r'$(inputs.ship["double\"s"])', 9),
        ("$(inputs.list[1].b[1])", 20),
        ("$(inputs.list.length)", 3),
        ("$(inputs.list['length'])", 3),
        ("$(inputs.ship.length)", 45.5),
        ("$(inputs.length)", "of the inputs"),
        ("$(inputs.ship.name[0])", "V"),
        ("$(inputs.größe)", "XL"),
        ("$(inputs.none)", None),
        ("$(inputs.yes)", True),
        ("$(null)", None),
        ("$(inputs)", INPUTS),
        ("$(self)", {"here": [1]}),
        ("$(self.here[0])", 1),
    ],
)
def test_a_reference_alone_is_the_value_itself(text: str, value: Any) -> None:
    assert value_of(text, INPUTS, {"here": [1]}) == value
    assert value_of(f" \n{text}\t", INPUTS, {"here": [1]}) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("to $(inputs.ship.name)!", "to Vera!"),
        ("$(inputs.ship.name)$(inputs.three)", "Vera3"),
        ("$(inputs.yes) $(inputs.none) $(null)", "true null null"),
        ("all: $(inputs.list)", 'all: ["a", {"b": [10, 20]}, null]'),
        (
            "$(inputs.ship)$(inputs.text)",
            json.dumps(INPUTS["ship"], sort_keys=True, ensure_ascii=False) + INPUTS["text"],
        ),
        ("  spaced $(inputs.three) ", "spaced 3"),
        (r"\$(inputs.three)", "$(inputs.three)"),
        (r"\${inputs.three}", "${inputs.three}"),
        (r"\\$(inputs.three)", r"\3"),
        (r"\\\$(inputs.three)", r"\$(inputs.three)"),
        (r"\n\\$(inputs.three)\t\\", r"\n" + "\\3\\t\\"),
        (r"cost: $5, \$(inputs.three) is $(inputs.three)", "cost: $5, $(inputs.three) is 3"),
    ],
)
def test_references_in_a_text_become_text(text: str, value: str) -> None:
    assert value_of(text, INPUTS) == value


@pytest.mark.parametrize(
    "text", ["", " ", "plain", "  spaced  ", "$", "$$x", "a $ (b)", r"two \\ slashes", "(inputs.x)"]
)
def test_a_text_without_references_means_itself(text: str) -> None:
    assert value_of(text, {}) == text
    assert references(compile_text(text)) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "${return inputs.three;}",
        "go ${1}",
        "$(inputs.three + 1)",
        "$(!inputs.yes)",
        "$(1 + 1)",
        "$(inputs.text.toUpperCase())",
        "$( inputs.yes )",
        "$(inputs.list[-1])",
        "$(inputs.list[inputs.three])",
        "$(inputs.any-name)",
        "$()",
        r"$(inputs['a\n'])",
    ],
)
def test_javascript_is_refused_as_such(text: str) -> None:
    with pytest.raises(ExpressionProblem, match="JavaScript is not run here"):
        compile_text(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$(inputs.three", "its bracket is not closed"),
        ("$(", "its bracket is not closed"),
        ("$(runtime.cores)", "$(runtime.cores): `runtime` means nothing for a step"),
        ("$(steps.a)", "$(steps.a): there are only `inputs` and `self`"),
        ("$(null.a)", "there are only"),
        ("$(true)", "$(true): true is a value and no reference: write true without $()"),
        ("$(12)", "write 12 without $()"),
        ("x" * (LIMIT_CHARACTERS + 1), f"an expression has {LIMIT_CHARACTERS} characters at most"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(ExpressionProblem, match=re.escape(said)):
        compile_text(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$(inputs.ship.nme)", '$(inputs.ship.nme): an object has no field "nme"'),
        ("a $(inputs.missing.x)", '$(inputs.missing.x): an object has no field "missing"'),
        ("$(inputs.list[3])", "a list has no item 3"),
        ("$(inputs.list.length.x)", 'a list has no field "length"'),
        ("$(inputs.list.first)", 'a list has no field "first"'),
        ("$(inputs.ship[0])", "an object has no item 0"),
        ("$(inputs.three.length)", '3 has no field "length"'),
        ("$(inputs.text.length)", 'has no field "length"'),
        ("$(inputs.ship.name[4])", '"Vera" has no item 4'),
        ("$(inputs.none.x)", 'null has no field "x"'),
        ("$(self.x)", 'null has no field "x"'),
    ],
)
def test_a_reference_that_leads_nowhere_says_where_it_ends(text: str, said: str) -> None:
    with pytest.raises(ExpressionProblem, match=re.escape(said)):
        value_of(text, INPUTS)


def test_what_an_expression_looks_at_is_known_before() -> None:
    text = "$(inputs.ship.name) \\$(inputs.no) $(inputs['any name']) $(self) $(null)"
    assert references(compile_text(text)) == {"inputs.ship", "inputs.any name", "self"}
    assert references(compile_text("$(inputs)")) == {"inputs"}


def test_a_text_cannot_grow_without_end() -> None:
    many = "$(self)" * 1000
    with pytest.raises(ExpressionProblem, match=f"gives more than {VALUES_LIMIT_BYTES} characters"):
        value_of(many, {}, "x" * 1000)
    assert value_of(many, {}, "x" * 20) == "x" * 20_000


# Any text, any values

PIECES = ("$(", "${", ")", "}", "\\", "$", "inputs", "self", "null", "length", *".[]'\"09aé \n")
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=40)
NAMES = st.text(alphabet="abé_ -.'\"]0", min_size=1, max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.just("length"), inner, max_size=3),
    max_leaves=8,
)


@given(text=TEXTS, inputs=st.dictionaries(NAMES, VALUES, max_size=3), self_value=VALUES)
def test_every_text_has_a_value_or_a_problem(text: str, inputs: dict[str, Any], self_value: Any) -> None:
    try:
        found = value_of(text, inputs, self_value)
    except ExpressionProblem as problem:
        found = str(problem)
    alone = text.strip().startswith("$(") and text.strip().endswith(")")
    assert alone or isinstance(found, str)


@given(text=TEXTS)
def test_what_is_escaped_means_itself(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("$(", "\\$(").replace("${", "\\${")
    expected = text.strip() if escaped != text and ("$(" in text or "${" in text) else escaped
    assert value_of(escaped, {}) == expected


def written(step: str | int, *, dotted: bool) -> str:
    """Write one step of a reference."""
    if isinstance(step, int):
        return f"[{step}]"
    if dotted and re.fullmatch(r"\w+", step):
        return f".{step}"
    return f"['{step}']" if "'" not in step else '["' + step.replace('"', '\\"') + '"]'


@given(data=st.data(), inputs=st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_a_reference_leads_where_plain_indexing_does(data: st.DataObject, inputs: dict[str, Any]) -> None:
    value: Any = inputs
    text = "inputs"
    while isinstance(value, dict | list) and value and (value is inputs or data.draw(st.booleans())):
        step = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        value = value[step]
        text += written(step, dotted=data.draw(st.booleans()))
    assert value_of(f"$({text})", inputs) == value
    as_text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    assert value_of(f"<$({text})|$({text})>", inputs) == f"<{as_text}|{as_text}>"


def test_the_parts_of_a_files_name_are_there() -> None:
    inputs = {
        "file": {"class": "File", "basename": "m31.tar.gz"},
        "other": {"basename": "m31.gz"},
        "none": {"class": "File"},
    }
    assert value_of("$(inputs.file.nameroot)-$(inputs.file['nameext'])", inputs) == "m31.tar-.gz"
    for name in ("other", "none"):
        with pytest.raises(ExpressionProblem, match='has no field "nameroot"'):
            value_of(f"$(inputs.{name}.nameroot)", inputs)
