"""What starts a workflow: once, or refused with a reason."""

import json
from typing import Any

import pytest

from caroni_edge.documents.documents import Problem
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.protocol.triggers import Trigger
from tests.unit.manager.bench import Bench, given, plan, step

OPTIONAL = plan(
    "optional",
    step("a", "upper", text=given("text"), note=("string?", given("note"))),
    inputs={"text": ("string", "default"), "note": "string?", "count": ("int", 3)},
    outputs={"count": ("int", given("count"))},
)


@pytest.fixture
def bench() -> Bench:
    return Bench(OPTIONAL)


def trigger(**facts: Any) -> bytes:
    """Make the payload of a trigger."""
    return json.dumps({"template": "one", "inputs": {"message": "x"}, **facts}).encode()


def workflows(bench: Bench) -> list[str]:
    return [row["id"] for row in bench.rows("SELECT id FROM workflows ORDER BY seq")]


def rejection(bench: Bench, topic: str = "caroni/managers/m1/events/rejected") -> dict[str, Any]:
    """Take the event that says that a trigger was refused; nothing else was published."""
    (event,) = bench.take_events()
    assert (event["type"], event["topic"]) == ("caroni.workflow.rejected", topic)
    data: dict[str, Any] = event["data"]
    return data


# Started


def test_a_trigger_starts_a_workflow(bench: Bench) -> None:
    bench.trigger(trigger(priority=7, reply_to="caroni/replies/mine"))
    (name,) = workflows(bench)
    assert len(name) == 16
    row = bench.workflow(name)
    assert (row["template"], row["priority"], row["reply_to"]) == ("one", 7, "caroni/replies/mine")
    assert row["inputs"] == '{"message":"x"}'
    assert row["created"] == bench.date


def test_inputs_that_are_left_out_get_their_defaults(bench: Bench) -> None:
    bench.trigger(b'{"template":"optional","id":"w1"}')
    assert json.loads(bench.workflow()["inputs"]) == {"text": "default", "note": None, "count": 3}
    bench.trigger(b'{"template":"optional","id":"w2","inputs":{"text":null,"count":4}}')
    assert json.loads(bench.workflow("w2")["inputs"]) == {"text": "default", "note": None, "count": 4}


# Once


def test_the_same_id_with_the_same_content_starts_nothing_and_says_the_last_event_again(bench: Bench) -> None:
    bench.trigger(trigger(id="w1"))
    (started,) = bench.take_events()
    bench.trigger(trigger(id="w1", priority=9, reply_to="caroni/replies/mine"))
    assert workflows(bench) == ["w1"]
    again = bench.take_events()
    assert [event.pop("topic") for event in again] == ["caroni/managers/m1/events/w1", "caroni/replies/mine"]
    started.pop("topic")
    assert again == [started, started], "the same CloudEvents id: it is a repeat"


def test_the_last_event_is_that_of_the_end(bench: Bench) -> None:
    bench.presence()
    bench.trigger(trigger(id="w1"))
    bench.complete(bench.place())
    bench.take_events()
    bench.restart()
    bench.trigger(trigger(id="w1"))
    (event,) = bench.take_events()
    assert (event["type"], event["data"]["outputs"]) == ("caroni.workflow.completed", {"result": "X"})


def test_after_retry_the_last_event_is_not_that_of_the_failure() -> None:
    bench = Bench(attempts=1)
    bench.presence()
    bench.trigger(trigger(id="w1"))
    bench.fail(bench.place())
    bench.retry()
    bench.take_events()
    bench.trigger(trigger(id="w1"))
    (event,) = bench.take_events()
    assert (event["type"], event["data"]["status"]) == ("caroni.workflow.started", "running")


@pytest.mark.parametrize("other", [{"inputs": {"message": "y"}}, {"template": "chain"}])
def test_the_same_id_with_another_content_is_rejected(bench: Bench, other: dict[str, Any]) -> None:
    bench.trigger(trigger(id="w1"))
    bench.take_events()
    bench.trigger(trigger(id="w1", **other))
    assert "is there already" in rejection(bench)["reason"]
    assert workflows(bench) == ["w1"]


def test_a_priority_above_the_bound_of_the_manager_is_rejected(bench: Bench) -> None:
    bench.trigger(trigger(id="before", priority=9))
    bench.take_events()
    bench.set(priority_max=5)
    bench.trigger(trigger(priority=6))
    assert rejection(bench)["reason"] == "priority is 6, and this manager takes 5 at most (priority_max)"
    bench.trigger(trigger(id="w1", priority=5))
    bench.trigger(trigger(id="before", priority=9))
    assert not bench.take_events("caroni.workflow.rejected")
    assert workflows(bench) == ["before", "w1"]


def test_the_order_of_inputs_is_no_other_content(bench: Bench) -> None:
    bench.trigger(b'{"template":"optional","id":"w1","inputs":{"text":"a","count":1}}')
    bench.trigger(b'{"id":"w1","inputs":{"count":1,"text":"a"},"template":"optional"}')
    assert not bench.take_events("caroni.workflow.rejected")


def test_a_known_id_is_known_even_if_its_template_has_gone(bench: Bench) -> None:
    bench.trigger(trigger(id="w1"))
    bench.take_events()
    bench.reactor.reload(bench.settings, Templates(loaded={}, errors={}))
    bench.trigger(trigger(id="w1"))
    assert [event["type"] for event in bench.take_events()] == ["caroni.workflow.started"]


# Repeated by the broker


def test_a_repeat_by_the_broker_starts_nothing(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 1


def test_a_repeat_after_a_restart_starts_nothing(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.restart()
    bench.trigger(trigger(), packet_id=7, dup=True, connection=2)
    assert len(workflows(bench)) == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"packet_id": 7, "dup": False},
        {"packet_id": 8, "dup": True},
        {"packet_id": 0, "qos": 0, "dup": False},
    ],
)
def test_what_is_no_repeat_starts_another(bench: Bench, facts: dict[str, Any]) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.trigger(trigger(), **facts)
    assert len(workflows(bench)) == 2


def test_another_payload_is_no_repeat(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.trigger(trigger(inputs={"message": "y"}), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


def test_what_was_rolled_back_is_no_repeat(bench: Bench) -> None:
    bench.call(lambda _at: bench.trigger_in_batch(trigger(), packet_id=7), commit=False)
    assert workflows(bench) == []
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 1


def test_a_record_goes_when_the_broker_cannot_repeat_any_more(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.reactor.on_trigger_settled(7)
    bench.reactor.on_trigger_settled(99)
    bench.settle()
    assert bench.rows("SELECT * FROM triggers") == []
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


def test_a_trigger_is_no_repeat_of_one_that_cannot_be_repeated(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.reactor.on_trigger_settled(7)
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


def test_what_is_known_of_packet_ids_goes_back_with_the_rows(bench: Bench) -> None:
    """The batch that takes the next trigger with a settled packet id fails, so the broker sends that one again."""
    bench.trigger(trigger(), packet_id=7)
    bench.reactor.on_trigger_settled(7)
    bench.call(lambda _at: bench.trigger_in_batch(trigger(), packet_id=7), commit=False)
    assert len(workflows(bench)) == 1
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


def test_packet_ids_are_forgotten_with_the_session(bench: Bench) -> None:
    """A broker that has lost its memory repeats nothing, and what it sends with that id is another message."""
    bench.trigger(trigger(), packet_id=7)
    bench.connect(session_present=False)
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


def test_packet_ids_are_kept_with_the_session(bench: Bench) -> None:
    bench.trigger(trigger(), packet_id=7)
    bench.connect(session_present=True)
    bench.trigger(trigger(), packet_id=7, dup=True)
    assert len(workflows(bench)) == 1


def test_a_record_of_a_packet_id_that_is_in_use_again_stays(bench: Bench) -> None:
    """The broker's word about the earlier message comes in the batch of the next one with that id."""
    bench.trigger(trigger(), packet_id=7)
    bench.reactor.on_trigger_settled(7)
    bench.trigger(trigger(inputs={"message": "y"}), packet_id=7)
    bench.trigger(trigger(inputs={"message": "y"}), packet_id=7, dup=True)
    assert len(workflows(bench)) == 2


# Refused


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"garbage", "the trigger cannot be read: it must be JSON, and is wrong at line 1, column 1"),
        (b'{"template":"one"', "it must be JSON, and is wrong at line 1, column 18"),
        (b"[]", "it is a list, and must be an object"),
        (b"\xff\xfe", "it must be UTF-8, and its byte 1 is not"),
        (b'{"template":"one","inputs":{"message":"\xff"}}', "it must be UTF-8, and its byte 40 is not"),
        (b'{"template":"one","inputs":{"message":"\\ud800"}}', "it holds half a surrogate pair"),
        (b'{"template":"one","inputs":{"message":NaN}}', "it holds a number that JSON does not have: NaN"),
        (b'{"template":"one","inputs":{"message":1e999}}', "it holds a number that is too large: 1e999"),
        (b'{"template":"one","id":%s}' % (b"9" * 5000), "it holds a number that is too long"),
        (b"[" * 60_000, "it has more than 64 levels inside each other"),
        (b"{}", "it has no template, which must be the name of a template"),
        (
            trigger(nonsense=1),
            'it has a field "nonsense", and may have template, inputs, id, priority, reply_to, labels, places and '
            "ticket",
        ),
        (trigger(priorty=1), '(did you mean "priority"?)'),
        (trigger(template=None), "template is null, and must be the name of a template, a string"),
        (trigger(inputs=[1]), "inputs is a list, and must be an object"),
        (trigger(priority=10), "priority is 10, and must be an integer from 0 to 9"),
        (trigger(priority=-1), "priority is -1, and must be an integer from 0 to 9"),
        (trigger(id="Not A Segment"), 'id is "Not A Segment", and must be 1 to 40 characters of a-z 0-9 _ -'),
        (trigger(reply_to=3), "reply_to is 3, and must be a topic, a string"),
        (trigger(id="rejected"), 'id must not be "rejected"'),
        (trigger(template="onee"), 'there is no template onee (did you mean "one"?)'),
        (trigger(inputs={}), "input message is missing; it takes string"),
        (trigger(inputs={"message": 3}), "input message expected string, got 3"),
        (trigger(inputs={"message": "x", "mesage": "y"}), 'input mesage is no input of one (did you mean "message"?)'),
        (trigger(inputs={"message": "x" * 70_000}), "are allowed"),
        (b"x" * (1 << 20), "the trigger has 1048576 bytes, and 65536 are allowed"),
    ],
)
def test_a_bad_trigger_is_rejected_with_the_reason(bench: Bench, payload: bytes, words: str) -> None:
    bench.trigger(payload)
    data = rejection(bench)
    assert words in data["reason"]
    assert data["received"] == payload[:1000].decode(errors="replace")[:200]
    assert workflows(bench) == []


def test_inputs_that_are_too_large_for_a_step_fail_it_in_words() -> None:
    bench = Bench(
        plan("two", step("a", text=given("one"), more=given("two")), inputs={"one": "string", "two": "string"})
    )
    bench.start("two", inputs={"one": "x" * 25_000, "two": "y" * 25_000})
    assert bench.take_event("caroni.workflow.failed")["data"]["reason"] == (
        "step a: its inputs have 50021 bytes as JSON, and 49152 are allowed together"
    )


@pytest.mark.parametrize("field", Trigger.__struct_fields__)
def test_of_each_field_it_is_said_what_it_must_be(bench: Bench, field: str) -> None:
    bench.trigger(trigger(**{field: []}))
    assert rejection(bench)["reason"].startswith(f"the trigger cannot be read: {field} is a list, and must be ")


def test_deep_nesting_is_refused(bench: Bench) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    bench.trigger(trigger(inputs={"message": deep}))
    assert "levels inside each other" in rejection(bench)["reason"]


def test_a_retained_trigger_is_refused(bench: Bench) -> None:
    bench.trigger(trigger(), retain=True)
    assert "retained" in rejection(bench)["reason"]
    assert workflows(bench) == []


@pytest.mark.parametrize("retain", [True, False])
def test_an_empty_payload_is_ignored(bench: Bench, retain: bool) -> None:
    before = bench.dump()
    bench.trigger(b"", retain=retain)
    assert bench.dump() == before


def test_a_broken_template_is_said_to_be_broken(bench: Bench) -> None:
    problem = Problem("bad.cwl:3", "steps is missing")
    bench.reactor.reload(bench.settings, Templates(loaded={}, errors={"bad": (problem,)}))
    bench.trigger(trigger(template="bad"))
    assert rejection(bench)["reason"] == "the template bad is broken: bad.cwl:3: steps is missing"


def test_no_workflow_is_started_when_the_disk_is_nearly_full(bench: Bench) -> None:
    bench.trigger(trigger(id="w1"))
    bench.take_events()
    bench.reactor.set_disk_problem("7 bytes are free")
    bench.trigger(trigger(id="w2"))
    assert rejection(bench)["reason"] == "7 bytes are free"
    bench.trigger(trigger(id="w1"))
    assert bench.take_event("caroni.workflow.started")
    bench.reactor.set_disk_problem(None)
    bench.trigger(trigger(id="w2"))
    assert workflows(bench) == ["w1", "w2"]


# So much at a time


def test_when_too_many_workflows_have_not_ended_no_other_is_started(bench: Bench) -> None:
    bench.set(waiting_workflows=2)
    bench.trigger(trigger(id="w1"))
    bench.trigger(trigger(id="w2"))
    bench.take_events()
    bench.trigger(trigger(id="w3"))
    assert rejection(bench)["reason"] == (
        "no other workflow is taken: waiting.workflows is 2, and so many have not ended; "
        "try again later, or cancel some"
    )
    with pytest.raises(Refused, match=r"waiting\.workflows") as refused:
        bench.reactor.start_workflow(Trigger(template="one", inputs={"message": "x"}), bench.at)
    assert refused.value.status == 503
    bench.trigger(trigger(id="w1"))
    assert bench.take_event("caroni.workflow.started"), "what is known is answered"
    bench.reactor.cancel("w2", bench.at)
    bench.trigger(trigger(id="w3"))
    assert workflows(bench) == ["w1", "w2", "w3"]


def test_workflows_that_have_begun_or_are_stalled_have_not_ended(bench: Bench) -> None:
    bench.presence()
    for name in ("w1", "w2"):
        bench.trigger(trigger(id=name))
    bench.database.conn.execute("UPDATE workflows SET status = 'stalled' WHERE id = 'w2'")
    bench.run(bench.place())
    bench.set(waiting_workflows=2)
    bench.trigger(trigger(id="w3"))
    assert workflows(bench) == ["w1", "w2"]


def test_when_the_inputs_of_what_has_not_ended_are_too_large_no_other_is_started(bench: Bench) -> None:
    inputs_bytes = len('{"message":"ä"}'.encode())
    bench.set(waiting_bytes=2 * inputs_bytes)
    for name in ("w1", "w2", "w3"):
        bench.trigger(trigger(id=name, inputs={"message": "ä"}))
    (rejected,) = bench.take_events("caroni.workflow.rejected")
    assert "waiting.size is 32 bytes, and the inputs" in rejected["data"]["reason"]
    bench.reactor.cancel("w1", bench.at)
    bench.trigger(trigger(id="w3", inputs={"message": "ä"}))
    bench.trigger(trigger(id="w4", inputs={"message": ""}))
    assert workflows(bench) == ["w1", "w2", "w3"]


# reply_to


@pytest.mark.parametrize(
    "topic", ["caroni/replies/mine", "caroni/replies/a/b", "elsewhere/x", "x", "caronix/a", "x/ünï"]
)
def test_all_events_of_a_workflow_go_to_reply_to_as_well(topic: str) -> None:
    bench = Bench(reply_to=("elsewhere/+", "x/#", "caronix/a"))
    bench.presence()
    bench.trigger(trigger(id="w1", reply_to=topic))
    bench.complete(bench.place())
    events = bench.take_events()
    own = [event for event in events if event["topic"] == "caroni/managers/m1/events/w1"]
    other = [{**event, "topic": own[0]["topic"]} for event in events if event["topic"] == topic]
    assert other == own
    assert len(own) == 3
    assert len(events) == 6


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "caroni",
        "caroni/managers/m2/workflows",
        "caroni/agents/a1/inbox/managers/m1",
        "caroni/replies",
        "caroni/replies/",
        "caroni/replies//x",
        "caroni/replies/a.b",
        "caroni.agents.a1.inbox.managers.m1",
        "elsewhere/x",
        "caronix/a",
        "a/+/b",
        "a/#",
        "$SYS/x",
        "a\nb",
        "a\u0000b",
        "x" * 201,
    ],
)
def test_reply_to_is_no_tool_for_writing_elsewhere(bench: Bench, topic: str) -> None:
    bench.trigger(trigger(id="w1", reply_to=topic))
    assert "reply_to" in rejection(bench)["reason"]
    assert workflows(bench) == []


def test_an_event_that_may_not_go_to_the_reply_to_of_before_is_dropped_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(reply_to=("elsewhere/#",))
    bench.presence()
    bench.trigger(trigger(id="w1", reply_to="elsewhere/x"))
    assert {event["topic"] for event in bench.take_events()} == {"caroni/managers/m1/events/w1", "elsewhere/x"}
    bench.set(reply_to=())
    bench.complete(bench.place())
    assert {event["topic"] for event in bench.take_events()} == {"caroni/managers/m1/events/w1"}
    [said, *_] = [record for record in caplog.records if vars(record).get("action") == "reply_dropped"]
    assert "reply_to in manager.yaml" in said.getMessage()
    assert [row["reply_to"] for row in bench.rows("SELECT reply_to FROM workflows")] == ["elsewhere/x"]


def test_a_rejection_goes_to_reply_to_too_and_names_the_id(bench: Bench) -> None:
    bench.trigger(trigger(template="nix", id="w1", reply_to="caroni/replies/mine"))
    events = bench.take_events("caroni.workflow.rejected")
    assert [event["topic"] for event in events] == ["caroni/managers/m1/events/rejected", "caroni/replies/mine"]
    assert {event["id"] for event in events} == {events[0]["id"]}
    assert all((event["data"]["id"], event["subject"]) == ("w1", "w1") for event in events)


def test_what_cannot_be_trusted_in_a_bad_trigger_is_left_out(bench: Bench) -> None:
    bench.trigger(trigger(template="nix", id="Not A Segment", reply_to="caroni/agents/a1/inbox/managers/m1"))
    assert "id" not in rejection(bench)


# The API


@pytest.mark.parametrize(
    ("facts", "status", "field"),
    [
        ({"template": "nix"}, 404, "template"),
        ({"inputs": {}}, 422, "inputs.message"),
        ({"id": "rejected"}, 422, "id"),
        ({"reply_to": "a/#"}, 422, "reply_to"),
        ({"id": "taken", "inputs": {"message": "y"}}, 409, "id"),
    ],
)
def test_a_command_is_refused_with_a_status_and_a_field(
    bench: Bench, facts: dict[str, Any], status: int, field: str
) -> None:
    bench.start("one", "taken")
    asked = Trigger(**{"template": "one", "inputs": {"message": "x"}, **facts})
    with pytest.raises(Refused) as caught:
        bench.call(lambda at: bench.reactor.start_workflow(asked, at))
    assert (caught.value.status, caught.value.field) == (status, field)


def test_a_command_tells_whether_the_workflow_is_new(bench: Bench) -> None:
    asked = Trigger(template="one", inputs={"message": "x"}, id="w1")
    assert bench.call(lambda at: bench.reactor.start_workflow(asked, at)) == ("w1", True)
    assert bench.call(lambda at: bench.reactor.start_workflow(asked, at)) == ("w1", False)
    assert bench.workflow_state() is WorkflowState.INITIALIZING


def test_a_mark_at_the_beginning_is_no_part_of_a_trigger(bench: Bench) -> None:
    bench.trigger(b'\xef\xbb\xbf{"template": "one", "id": "w1", "inputs": {"message": "x"}}')
    assert bench.workflow()["template"] == "one"


@pytest.mark.parametrize(
    "payload",
    [b'{"template": "one", "template": "one"}', b'{"template": "one", "inputs": {"message": "x", "message": "y"}}'],
)
def test_a_key_that_is_given_twice_is_refused(bench: Bench, payload: bytes) -> None:
    bench.trigger(payload)
    reason = bench.take_event("caroni.workflow.rejected")["data"]["reason"]
    assert reason.startswith("the trigger gives the key ")
    assert not bench.rows("SELECT id FROM workflows")
