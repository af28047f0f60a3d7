"""Bad input of any kind: a clear error where the user looks, nothing else disturbed, no process ended."""

import json
from pathlib import Path

import pytest
import yaml

from tests.e2e.daemons import CONFIG, Fleet
from tests.support import wait_until

TOPICS = (
    "caroni/managers/m1/inbox/agents/a1",
    "caroni/agents/a1/inbox/managers/m1",
    "caroni/presence/agents/a1",
    "caroni/presence/agents/zz",
    "caroni/presence/managers/m1",
    "caroni/presence/managers/zz",
    "caroni/requests/foojob0/m1",
    "caroni/requests/foojob0/zz",
    "caroni/managers/m1/inbox/agents/zz",
)
GARBAGE = (
    b"garbage",
    b"\xff\xfe\x00",
    b"[]",
    b"{}",
    b'{"v":9,"from":"a1","to":"m1","boot":"x","ack":[0,""]}',
    b'{"v":1,"from":"a1","to":"m1","boot":"x","ack":[0,""],"first":1,"prev":"","messages":[{"id":"x","type":"Nonsense"}]}',
    b'{"v":1,"from":"other","to":"m1","boot":"x","ack":[0,""]}',
    b'{"online":"maybe"}',
    b'{"serial":-1}',
    b"[" * 5000,
    b"x" * (1 << 20),
)

BAD_TRIGGERS = {
    "not JSON": (b"hello", "cannot be read"),
    "bad UTF-8": (b'{"template":"\xff"}', "cannot be read"),
    "unknown template": (b'{"template":"tset_simple"}', 'did you mean "test_simple"'),
    "missing input": (b'{"template":"test_simple"}', "message is missing"),
    "extra input": (b'{"template":"test_simple","inputs":{"message":"x","mesage":1}}', "mesage is no input"),
    "wrong type": (b'{"template":"test_simple","inputs":{"message":3}}', "expected string"),
    "unknown field": (b'{"template":"test_simple","inputs":{"message":"x"},"foo":1}', "foo"),
    "bad id": (b'{"template":"test_simple","inputs":{"message":"x"},"id":"A B"}', "cannot be read"),
    "reserved id": (b'{"template":"test_simple","inputs":{"message":"x"},"id":"rejected"}', "rejected"),
    "reply into an inbox": (
        b'{"template":"test_simple","inputs":{"message":"x"},"reply_to":"caroni/agents/a1/inbox/managers/m1"}',
        "reply_to must lie",
    ),
    "too large": (b'{"template":"test_simple","inputs":{"message":"' + b"x" * 200_000 + b'"}}', "65536 are allowed"),
    "a key twice": (b'{"template":"test_simple","inputs":{"message":"x"},"priority":1,"priority":2}', "twice"),
    "deep": (b'{"template":"test_simple","inputs":{"message":' + b"[" * 900 + b"]" * 900 + b"}}", "levels"),
}


def test_refused_triggers_say_why_and_disturb_nothing(fleet: Fleet) -> None:
    fleet.agent()
    manager = fleet.manager()
    for number, (payload, words) in enumerate(BAD_TRIGGERS.values(), start=1):
        fleet.trigger(payload)
        last = wait_until(lambda n=number: fleet.rejections()[n - 1 :], what=f"rejection {words}")[0]  # type: ignore[misc]
        assert words in last["reason"]
    fleet.client.publish(
        "caroni/managers/m1/workflows", b'{"template":"test_simple","inputs":{"message":"x"}}', retain=True
    )
    wait_until(lambda: len(fleet.rejections()) > len(BAD_TRIGGERS) or manager.get("/api/workflows")["workflows"])
    fleet.client.publish("caroni/managers/m1/workflows", b"", retain=True)
    fleet.trigger(b'\xef\xbb\xbf{"template":"test_simple","inputs":{"message":"fine"},"id":"w1"}')
    assert fleet.outputs("w1") == {"result": "prepended FINEappend"}


@pytest.mark.parametrize("retain", [False, True])
def test_garbage_on_every_topic_disturbs_nothing(any_fleet: Fleet, retain: bool) -> None:
    agent = any_fleet.agent()
    manager = any_fleet.manager()
    for topic in TOPICS:
        for payload in GARBAGE:
            any_fleet.client.publish(topic, payload, retain=retain)
        any_fleet.client.publish(topic, b"", retain=retain)
    any_fleet.trigger({"template": "test_simple", "inputs": {"message": "fine"}, "id": "w1"})
    assert any_fleet.outputs("w1", 60) == {"result": "prepended FINEappend"}
    assert manager.is_running()
    assert agent.is_running()
    assert "Traceback" not in manager.log + agent.log


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo '{\"jobout\": 3}'", "jobout"),
        ('echo "{"', "JSON"),
        ("echo '{}'", "jobout"),
        ("head -c 60000 /dev/zero | tr '\\0' x | sed 's/^/jobout=/' >> \"$CARONI_OUTPUTS\"", "49152 are allowed"),
        ("exit 7", "7"),
        ("kill -9 $$", "SIGKILL"),
        ('printf \'{"jobout": "\\xff"}\'', "UTF-8"),
    ],
)
def test_a_job_that_gives_no_good_output_fails_and_says_why(
    fleet: Fleet, tmp_path: Path, script: str, words: str
) -> None:
    types = tmp_path / "types"
    types.mkdir()
    facts = {"name": "foojob0", "inputs": {"message": "string"}, "outputs": {"jobout": "string"}, "script": script}
    (types / "foojob0.yaml").write_text(yaml.safe_dump(facts))
    fleet.agent(job_types=str(types))
    fleet.manager(attempts=1)
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    failed = wait_until(lambda: fleet.of("w1", "caroni.workflow.failed"), what="the workflow to fail")
    assert words in failed[0]["reason"]


@pytest.mark.parametrize(
    ("script", "tries"),
    [
        ("head -c 60000 /dev/zero | tr '\\0' x | sed 's/^/jobout=/' >> \"$CARONI_OUTPUTS\"", 1),
        ("echo '{\"jobout\": 3}'", 1),
        ('echo "{"', 2),
    ],
    ids=["too large", "another type", "unreadable"],
)
def test_what_the_same_version_would_give_again_is_not_tried_again(
    fleet: Fleet, tmp_path: Path, script: str, tries: int
) -> None:
    types = tmp_path / "types"
    types.mkdir()
    facts = {"name": "foojob0", "inputs": {"message": "string"}, "outputs": {"jobout": "string"}, "script": script}
    (types / "foojob0.yaml").write_text(yaml.safe_dump(facts))
    fleet.agent(job_types=str(types))
    manager = fleet.manager(attempts=2, retry_delay="100ms")
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    wait_until(lambda: fleet.of("w1", "caroni.workflow.failed"), what="the workflow to fail")
    assert len(manager.get("/api/workflows/w1")["steps"]["upper"]["attempts"]) == tries


def test_broken_files_are_left_out_and_said(fleet: Fleet, tmp_path: Path) -> None:
    templates, types = tmp_path / "templates", tmp_path / "types"
    for source, target in (("templates", templates), ("jobtypes", types)):
        target.mkdir()
        for file in (CONFIG / source).iterdir():
            (target / file.name).write_bytes(file.read_bytes())
    (templates / "broken.cwl").write_text("class: Workflow\ncwlVersion: v1.2\nsteps: [\n")
    (types / "broken.yaml").write_text("name: broken\nscript: [1, 2\n")
    agent = fleet.agent(job_types=str(types))
    manager = fleet.manager(templates=str(templates))
    assert "broken.cwl:" in manager.log
    assert "broken.yaml:" in agent.log
    assert "broken" in json.dumps(manager.get("/api/templates"))
    fleet.trigger({"template": "broken"})
    wait_until(fleet.rejections, what="a rejection")
    assert "broken.cwl:" in fleet.rejections()[0]["reason"]
    fleet.trigger({"template": "test_simple", "inputs": {"message": "fine"}, "id": "w1"})
    assert fleet.outputs("w1") == {"result": "prepended FINEappend"}


def test_a_database_of_the_other_kind_of_node_is_named(fleet: Fleet) -> None:
    agent, manager = fleet.agent(), fleet.manager(start=False)
    agent.stop()
    manager.config.write_text(manager.config.read_text().replace(str(manager.state_dir), str(agent.state_dir)))
    manager.start(wait=False)
    assert manager.wait() == 2
    assert "the state database of an agent, and it was given to a workflow manager" in manager.log
    assert "newer release" not in manager.log
    agent.start()


WRONG_TEMPLATES = {
    "constant": ('valueFrom: "$(true)"', "true is a value and no reference"),
    "javascript": ('valueFrom: "${return 1}"', "JavaScript is not run here"),
}


def test_a_wrong_template_is_one_error_with_its_line(fleet: Fleet, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    good = (CONFIG / "templates" / "test_simple.cwl").read_text()
    for name, (wrong, _) in WRONG_TEMPLATES.items():
        text = good.replace("in: {message: upper/jobout}", f"in: {{message: {{{wrong}}}}}")
        assert text != good
        (templates / f"{name}.cwl").write_text(text)
    manager = fleet.manager(templates=str(templates))
    for name, (_, words) in WRONG_TEMPLATES.items():
        said = [line for line in manager.log.splitlines() if f"{name}.cwl:" in line and "warning:" not in line]
        assert len(said) == 1, manager.log
        assert words in said[0]
