"""YAML files with positions: what is read, what is refused, and which line is named."""

import json
import os
import time
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.documents.documents import LIMIT_BYTES, Findings, Problem, Problems, in_order, load, nearest, parse

FILE = Path("templates/a.cwl")


def read(text: str) -> object:
    return parse(text, FILE).value


def refusal(text: str) -> str:
    with pytest.raises(Problems) as caught:
        parse(text, FILE)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("n", "n"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:15", "12:30:15"),
        ("1.2.3", "1.2.3"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+.5", 0.5),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[]", []),
        ("{}", {}),
        ("# only a comment\n", None),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, 'the key "a" is there twice, first in line 1'),
        ("a:\n  1: x", 2, 'write it in quotes: "1"'),
        ("? [a]\n: b", 1, "a key must be"),
        ("a:\n  ? {b: 1}\n  : c", 2, "a key must be"),
        ("a: 1\nb: .nan", 2, ".nan is no number"),
        ("a: -.inf", 1, "-.inf is no number"),
        ("a: 1e999", 1, "too large"),
        ("a: " + "9" * 5000, 1, "too many digits"),
        ("a: &x [*x]", 1, "stands inside what it names"),
        ("a: 1\nb: *nobody", 2, "has no anchor"),
        ("a: &x {b: 1}\n<<: *x", 2, "merge keys"),
        ("a: 1\n--- \nb: 2", 2, "a second document"),
        ("x: 1\na: [1,\n2\n", 4, "(it begins in line 2)"),
        ("inputs: {a: int[], b: int}", 1, "need quotes"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: 1\n\tb: 2", 2, "is no YAML"),
        ("a: 1\nb: \x01", 2, "control characters"),
        ("a: 1\nb: '\ud800'", 2, "surrogate"),
        ("a: !!python/object:os.system x", 1, "the tag"),
        ("a: !!set {x}", 1, "the tag"),
        ("%TAG !x! y\n---\na: 1", 1, "the directive %TAG is not taken"),
        ("# c\n\n%YAML 1.2\n%TAG !x! y\n---\na: 1", 4, "the directive %TAG is not taken"),
        ("[" * 65 + "]" * 65, 1, "more than 64 levels"),
        ("[" * 200_000, 1, "nesting"),
    ],
)
def test_what_json_could_not_hold_is_refused_with_its_line(text: str, where: int, said: str) -> None:
    message = refusal(text)
    assert message.startswith(f"{FILE}:{where}: ")
    assert said in message


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    assert "aliases" in refusal("\n".join(lines))
    long_text = "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 100) + "]"
    assert "aliases" in refusal(long_text)


def test_what_looks_like_a_directive_within_a_document_is_text() -> None:
    assert read('%YAML 1.2\n---\na: |\n  %TAG !x! y\nb: "\n  %TAG"') == {"a": "%TAG !x! y\n", "b": " %TAG"}


def test_directives_cost_no_more_than_their_length() -> None:
    begun_s = time.process_time()
    assert "%TAG" in refusal("".join(f"%TAG !a{number}! b\n" for number in range(60_000)))
    assert time.process_time() - begun_s < 1.0


def test_aliases_within_reason_are_read() -> None:
    assert read("a: &x {k: [1]}\nb: *x\nc: &y word\n*y : 3") == {
        "a": {"k": [1]},
        "b": {"k": [1]},
        "c": "word",
        "word": 3,
    }


def test_where_names_the_nearest_line_on_the_way() -> None:
    document = parse(
        dedent("""\
            # a comment
            steps:
              one:
                in: [a, b]
              two:
                - x
                -
                  y: 1
                  z: {k: 2,
                      l: 3}
            """),
        FILE,
    )
    assert document.where() == f"{FILE}:2"
    assert document.where("steps", "one", "in") == f"{FILE}:4"
    assert document.where("steps", "two", 0) == f"{FILE}:6"
    assert document.where("steps", "two", 1) == f"{FILE}:8"
    assert document.where("steps", "two", 1, "z", "l") == f"{FILE}:10"
    assert document.where("steps", "two", 1, "nothing", "here") == f"{FILE}:8"
    assert document.where("steps", "one", "in", 1, "deeper") == f"{FILE}:4"
    assert document.where("nothing") == f"{FILE}:2"
    assert parse("", FILE).where("x") == f"{FILE}:1"


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: caf\xc3\xa9\r\nb: 2\r\n")
    document = load(path)
    assert document.value == {"name": "café", "b": 2}
    assert document.where("b") == f"{path}:2"


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: caf\xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a" * (LIMIT_BYTES + 1))
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    for path, said in {
        latin: f"{latin}:2: is not UTF-8",
        large: f"{large}: is larger than {LIMIT_BYTES} bytes",
        fifo: f"{fifo}: this is not a regular file",
        tmp_path: f"{tmp_path}: this is not a regular file",
        tmp_path / "gone.yaml": "gone.yaml: cannot be read: No such file",
    }.items():
        with pytest.raises(Problems) as caught:
            load(path)
        assert said in str(caught.value)


def test_nearest_helps_only_where_it_can() -> None:
    assert nearest("mesage", ["message", "count"]) == ' (did you mean "message"?)'
    assert nearest("jobtype", ["JobType"]) == ' (did you mean "JobType"?)'
    assert nearest("zzz", ["message"]) == ""
    assert nearest("x", []) == ""


def test_problems_come_by_file_and_line_and_only_once() -> None:
    problems = [Problem("a:10", "x"), Problem("a:9", "y", warning=True), Problem("a", "z"), Problem("a:10", "x")]
    error = Problems(problems)
    assert str(error) == "a: z\na:9: warning: y\na:10: x"
    assert error.problems == in_order(problems)
    assert error.exit_status == 2


def test_findings_collect_all_and_raise_for_errors_only() -> None:
    findings = Findings(parse("a: 1\nnmae: 2\nb: {c: 3}", FILE))
    findings.warning("odd", "a")
    findings.raise_errors()
    findings.unknown_keys({"a": 1, "nmae": 2}, ["a", "name"])
    findings.error("wrong", "b", "c")
    with pytest.raises(Problems) as caught:
        findings.raise_errors()
    assert str(caught.value).splitlines() == [
        f"{FILE}:1: warning: odd",
        f'{FILE}:2: unknown key "nmae" (did you mean "name"?)',
        f"{FILE}:3: wrong",
    ]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_with_ascii_escapes_is_yaml(value: object) -> None:
    # YAML has no surrogate pairs: what lies above the basic plane is tried as it is, and libyaml wants it printable.
    text = json.dumps(value, ensure_ascii=True)
    if "\\ud" in text:
        return
    assert read(text) == value


@given(st.text())
def test_any_text_is_read_or_refused_with_its_file(text: str) -> None:
    assert outcome(text).startswith(str(FILE))


def outcome(text: str) -> str:
    try:
        document = parse(text, FILE)
    except Problems as error:
        return str(error)
    json.dumps(document.value, allow_nan=False)
    return document.where()
