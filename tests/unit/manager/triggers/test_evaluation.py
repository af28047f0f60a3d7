"""What a message means to a rule: whether it fits, and which workflow it is to start."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from caroni_edge.config.automation import NAMES_READ, AtMost, Rule
from caroni_edge.config.automation_kinds import INPUTS
from caroni_edge.config.kinds import Place
from caroni_edge.javascript.interpreter import Answer, Script
from caroni_edge.javascript.texts import Text, read_text
from caroni_edge.manager.triggers.evaluation import Evaluated, Outcome, Reading, evaluate, workflow_id
from caroni_edge.protocol.triggers import TRIGGER_LIMIT_BYTES
from tests.unit.manager.bench import DATE

quickjs = pytest.importorskip("quickjs")


def ask(script: Script) -> Answer:
    """Run a script as the helper process does, in this one."""
    names = "".join(f"var {name} = {json.dumps(value)};" for name, value in script.names.items())
    try:
        found = quickjs.Context().eval(f"{names} JSON.stringify((function () {{{script.body}\n}})())")
    except quickjs.JSException as error:
        return Answer(error=str(error).strip().splitlines()[0])
    return Answer(value=json.loads(found))


def never(_script: Script) -> Answer:
    raise AssertionError("no JavaScript is needed")


def text(written: str) -> Text:
    return read_text(written, NAMES_READ)


def rule(inputs: Mapping[str, Any] | None = None, **facts: Any) -> Rule:
    texts: dict[str, Any] = {name: text(facts.pop(name)) for name in ("when", "id") if name in facts}
    if for_each := facts.pop("for_each", None):
        facts["at_most"] = AtMost(runs=1, per_s=60, for_each=text(for_each))
    read: Any = INPUTS.read(dict(inputs or {}), Place(None, {}))  # type: ignore[arg-type]
    return Rule(name="hot", topic="sensors/#", template="one", inputs=read, **texts, **facts)


def seen(made: Rule, payload: bytes = b'{"c": 41, "n": 7}', topic: str = "sensors/ida/t") -> Evaluated:
    return evaluate(made, Reading(topic, payload, DATE), ask)


def test_inputs_are_filled_from_message_topic_and_time() -> None:
    inputs = {"ship": "$(topic[1])", "all": "$(message)", "deep": [{"at": "$(received)"}], "fixed": 5}
    found = evaluate(rule(inputs), Reading("sensors/ida/t", b'{"c": 41}', DATE), never)
    assert found.outcome is Outcome.FITS
    assert found.inputs == {
        "ship": "ida",
        "all": {"c": 41},
        "deep": [{"at": "2023-11-14T22:13:20.000Z"}],
        "fixed": 5,
    }
    assert (found.id, found.key) == (None, "")


def test_javascript_computes_condition_inputs_id_and_key_in_one_call() -> None:
    asked: list[Script] = []

    def note(script: Script) -> Answer:
        asked.append(script)
        return ask(script)

    made = rule(
        {"double": "$(message.c * 2)"},
        when="$(message.c > 40)",
        id="hot-$(message.n + 1)",
        for_each="${return topic[1];}",
    )
    found = evaluate(made, Reading("sensors/ida/t", b'{"c": 41, "n": 7}', DATE), note)
    assert (found.outcome, found.inputs, found.id, found.key) == (Outcome.FITS, {"double": 82}, "hot-8", "ida")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("when", "payload", "outcome"),
    [
        ("$(message.c > 40)", b'{"c": 41}', Outcome.FITS),
        ("$(message.c > 40)", b'{"c": 40}', Outcome.UNMET),
        ("$(message.c > 40)", b"{}", Outcome.UNMET),
        ("$(message.hot)", b'{"hot": true}', Outcome.FITS),
        ("$(message.hot)", b'{"hot": false}', Outcome.UNMET),
        ("$(message.hot)", b"{}", Outcome.FAILED),
        ("$(message.hot)", b'{"hot": 1}', Outcome.FAILED),
        ("$(message.a.b > 1)", b"{}", Outcome.FAILED),
    ],
)
def test_a_condition_is_true_false_or_fails(when: str, payload: bytes, outcome: Outcome) -> None:
    assert seen(rule(when=when), payload).outcome is outcome


def test_what_is_not_needed_is_not_worked_out() -> None:
    found = seen(rule({"x": "$(message.a.b.c)", "y": "$(message.a.b.c + 1)"}, when="$(message.c > 99)"))
    assert (found.outcome, found.said) == (Outcome.UNMET, "")


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"41 degrees", "it is no JSON: "),
        (b"", "it is no JSON: "),
        (b"NaN", "it is no JSON: "),
        (b"\xff", "it is no"),
        (b"[" * 5000, "it is no JSON: "),
        (b"[" * 80 + b"]" * 80, "it has more than 64 levels"),
        (b" " * TRIGGER_LIMIT_BYTES + b"1", "it has 65537 bytes"),
    ],
)
def test_what_is_no_json_is_not_taken(payload: bytes, says: str) -> None:
    found = seen(rule(), payload)
    assert found.outcome is Outcome.UNREAD
    assert found.said.startswith(says)


def test_a_text_is_taken_where_the_rule_says_so() -> None:
    assert seen(rule({"m": "$(message)"}, payload="text"), b"41 degrees").inputs == {"m": "41 degrees"}
    assert seen(rule(payload="text"), b"\xff").said == "it is not UTF-8"


@pytest.mark.parametrize(
    ("id_", "payload", "gives"),
    [
        ("hot-$(message.n)", b'{"n": 7}', "hot-7"),
        ("$(message.n)", b'{"n": 7}', "7"),
        ("$(message.n)", b'{"n": "Sea Level/7"}', workflow_id("Sea Level/7")),
    ],
)
def test_an_id_is_a_text_or_a_number(id_: str, payload: bytes, gives: str) -> None:
    assert seen(rule(id=id_), payload).id == gives


@pytest.mark.parametrize("payload", [b'{"n": null}', b'{"n": []}', b'{"n": ""}', b"{}"])
def test_an_id_that_is_none_fails(payload: bytes) -> None:
    assert seen(rule(id="$(message.n)"), payload).outcome is Outcome.FAILED


def ids() -> Iterator[tuple[str, str]]:
    yield "Sea Level/7", "ea"
    yield "x" * 41, "x" * 23
    yield "Ä", ""


@pytest.mark.parametrize(("given", "begins"), list(ids()))
def test_any_text_gives_an_id_of_its_own(given: str, begins: str) -> None:
    made = workflow_id(given)
    assert made.startswith(f"{begins}")
    assert made[-17] == "-"
    assert made != workflow_id(f"{given}!")
    assert len(made) <= 40


def test_the_parts_of_a_files_name_are_there_for_references_and_for_javascript() -> None:
    inputs = {"root": "$(message.nameroot)", "ext": "$(message.nameext + '')"}
    found = seen(rule(inputs), b'{"class": "File", "basename": "m31.tar.gz", "path": "/m31.tar.gz"}')
    assert found.inputs == {"root": "m31.tar", "ext": ".gz"}


def test_an_id_that_is_one_stays_as_it_is() -> None:
    assert workflow_id("hot_1-a") == "hot_1-a"


def test_a_long_key_is_a_hash() -> None:
    assert len(seen(rule(for_each="$(message.k)"), b'{"k": "' + b"x" * 1000 + b'"}').key) == 64


def test_a_fault_of_the_script_is_said() -> None:
    found = seen(rule({"x": "$(message.c.d.e + 1)"}))
    assert found.outcome is Outcome.FAILED
    assert "TypeError" in found.said
