"""Entries of `notify`: what is wrong with one is said with its number, and no secret is."""

import json
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config import load_manager
from caroni_edge.config.notify import Command, Topic, Webhook
from caroni_edge.documents.documents import Problems


def load(tmp_path: Path, notify: Any, **more: Any) -> Any:
    path = tmp_path / "manager.yaml"
    path.write_text(json.dumps({"id": "m1", "broker": {"url": "mqtt://b"}, "notify": notify, **more}))
    return load_manager(path, {})


def test_the_three_kinds_of_targets(tmp_path: Path) -> None:
    (tmp_path / "hook.secret").write_text("whsec_abcd\n")
    webhook = {"url": "https://hooks.example/caroni?key=veiled", "secret_file": "hook.secret"}
    config = load(
        tmp_path,
        [
            {"on": ["failed"], "templates": ["night-*"], "webhook": webhook},
            {"on": ["stalled", "agent-back"], "topic": "ship/alarms"},
            {"on": ["failed"], "command": ["/bin/page", "me"]},
        ],
    )
    first, second, third = config.notify
    assert isinstance(first.target, Webhook)
    assert (first.target.url, first.target.name) == (webhook["url"], "webhook https://hooks.example")
    assert first.target.secret is not None
    assert first.target.secret.reveal() == "whsec_abcd"
    assert (second.target, third.target) == (Topic("ship/alarms"), Command(("/bin/page", "me")))
    assert len({each.key for each in config.notify}) == 3
    assert "veiled" not in repr(config)
    assert [setting.value for setting in config.settings if setting.key == "notify"] == ["(hidden)"]


def test_entries_of_one_url_have_one_secret(tmp_path: Path) -> None:
    for name in ("one", "same", "other"):
        (tmp_path / name).write_text("whsec_abcd" if name != "other" else "whsec_efgh")

    def entries(*names: str | None) -> list[Any]:
        webhooks = [{"url": "https://a.example/veiled"} | ({"secret_file": name} if name else {}) for name in names]
        return [{"on": ["failed"], "topic": "a"}, *({"on": ["failed"], "webhook": each} for each in webhooks)]

    assert len(load(tmp_path, entries("one", "one", "same")).notify) == 4
    for others in (("one", "other"), ("one", None), (None, "one")):
        with pytest.raises(Problems) as caught:
            load(tmp_path, entries(others[0], *others))
        said = "notify: entries 2 and 4 have the same webhook url (https://a.example) and not the same secret"
        assert said in str(caught.value)
        assert "veiled" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("x", 'entry 1: expected on and a webhook, topic or command, got "x"'),
        ({"on": ["failed"]}, "entry 1: give one of webhook, topic and command, not 0"),
        ({"on": ["failed"], "topic": "a", "command": ["/b"]}, "entry 1: give one of webhook, topic and command, not 2"),
        ({"on": ["fialed"], "topic": "a"}, 'entry 1: on: there is no "fialed" (did you mean "failed"?)'),
        ({"on": [], "topic": "a"}, "entry 1: on: expected a list of texts"),
        ({"topic": "a"}, "entry 1: on: expected a list of texts"),
        ({"on": ["failed"], "topci": "a"}, 'entry 1: unknown key "topci" (did you mean "topic"?)'),
        ({"on": ["failed"], "topic": "a/#"}, "entry 1: topic: "),
        ({"on": ["failed"], "topic": "caroni/x"}, "notify: caroni/x lies below caroni"),
        ({"on": ["failed"], "topic": "sensors/a"}, "notify: the trigger hot listens to sensors/a"),
        ({"on": ["failed"], "command": ["page"]}, "entry 1: command: page must be an absolute path"),
        ({"on": ["failed"], "command": "page"}, "entry 1: command: expected a list of texts"),
        ({"on": ["failed"], "webhook": {"url": "ftp://hidden"}}, "entry 1: webhook: its url must begin with https://"),
        ({"on": ["failed"], "webhook": "https://hidden"}, "entry 1: webhook: expected {url"),
        ({"on": ["failed"], "webhook": {"url": "https://a", "secret_file": "none"}}, "entry 1: cannot read"),
        ({"on": ["failed"], "templates": "x", "topic": "a"}, "entry 1: templates: expected a list of texts"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, entry: Any, says: str) -> None:
    triggers = {"hot": {"topic": "sensors/#", "template": "alarm"}}
    with pytest.raises(Problems) as caught:
        load(tmp_path, [entry], triggers=triggers)
    assert says in str(caught.value)
    assert "hidden" not in str(caught.value)
