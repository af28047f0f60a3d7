"""Every key of the table changes the configuration that daemons get."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config import NodeConfig, automation_kinds, kinds, load_agent, load_manager, notify_kinds
from caroni_edge.config.key import Key
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS
from caroni_edge.node.daemon import AT_START

BASE: dict[str, Any] = {
    "id": "n1",
    "broker": {"url": "mqtts://broker.example", "username": "n1", "cert_file": "first"},
    "web": {"cert_file": "first", "users": {"eve": {"role": "viewer", "password": "first"}}},
}
OF_MANAGERS: dict[str, Any] = {
    "triggers": {"hot": {"topic": "sensors/#", "template": "alarm", "at_most": {"per": "1m"}}},
    "schedules": {"nightly": {"template": "health", "cron": "30 2 * * *"}},
}
BUCKET = {"url": "s3://lab", "endpoint": "https://first.example", "key_id": "first", "key": "first"}
NAMED = {
    "USER": "eve",
    "MANAGER": "m7",
    "JOB_TYPE": "sh",
    "TRIGGER": "hot",
    "SCHEDULE": "nightly",
    "LABEL": "site",
    "RESOURCE": "camera",
    "PERSON": "alice",
}
OTHER: dict[Any, Any] = {
    **dict.fromkeys((kinds.TEXT, kinds.SEGMENT, kinds.USER, kinds.PATH, kinds.SECRET), "other"),
    **dict.fromkeys((kinds.DURATION, kinds.DURATION_OR_NEVER), "7s"),
    **dict.fromkeys((kinds.SIZE, kinds.SIZE_OR_NEVER, kinds.RATE), "7M"),
    kinds.BROKER_URL: "mqtts://elsewhere.example",
    kinds.TOPIC_FILTERS: ["elsewhere/#"],
    kinds.AGENTS: ["a1", "a2"],
    kinds.PATHS: ["elsewhere"],
    kinds.LABEL_VALUE: "north",
    kinds.HOURS: "22:00-06:00",
    kinds.HOSTS: ["data.example.org"],
    kinds.DIRECT_URL: "https://a1.example.org:8443",
    kinds.BUCKET_URL: "s3://lab/d1",
    kinds.ENDPOINT_URL: "https://minio.example:9000",
    kinds.AMOUNT: 2,
    kinds.NETWORKS: ["10.0.0.0/8"],
    automation_kinds.ANY_FILTER: "elsewhere/#",
    automation_kinds.CONDITION: "$(message.hot)",
    automation_kinds.EXPRESSION: "$(message.id)",
    notify_kinds.NOTIFY: [{"on": ["failed"], "topic": "ship/alarms"}],
    automation_kinds.CRON: "0 4 * * 1",
    automation_kinds.ZONE: "Europe/Prague",
    automation_kinds.PACE: "15m",
    automation_kinds.PLAIN_INPUTS: {"depth": 3},
    automation_kinds.INPUTS: {"ship": "$(topic[1])"},
}


def other(key: Key) -> object:
    """Return a value that a key does not have by itself."""
    words = key.kind.name.split(" or ")
    if key.kind is kinds.FLAG:
        return not key.default
    if key.kind in OTHER:
        return OTHER[key.kind]
    return next((word for word in words[1:] if word != key.default), 7)


@pytest.fixture(
    params=[(load, key) for load, keys in ((load_manager, MANAGER_KEYS), (load_agent, AGENT_KEYS)) for key in keys],
    ids=lambda param: f"{param[0].__name__}-{param[1].name}",
)
def changed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Key, NodeConfig, NodeConfig]:
    """Return a key, and the configuration before and after its value was changed."""
    load, key = request.param
    path, values = tmp_path / "node.yaml", deepcopy(BASE | (OF_MANAGERS if load is load_manager else {}))
    if key.name.startswith("files.bucket."):
        values["files"] = {"depot": True, "bucket": dict(BUCKET)}
    for name in ("first", "file"):
        (tmp_path / name).write_text("of a file")
    path.write_text(json.dumps(values))
    before = load(path, {})
    *sections, last = (NAMED.get(part, part) for part in key.name.split("."))
    section = values
    for name in sections:
        section = section.setdefault(name, {})
    section.pop(key.gives, None)
    if last == "every":  # in the place of cron
        del section["cron"]
    section[last] = "file" if key.kind in (kinds.SECRET_FILE, kinds.READABLE_FILE) else other(key)
    path.write_text(json.dumps(values))
    return key, before, load(path, {})


def test_a_key_changes_the_configuration(changed: tuple[Key, NodeConfig, NodeConfig]) -> None:
    _, before, after = changed
    assert after != before


def test_what_sighup_does_not_change_is_what_daemons_say(changed: tuple[Key, NodeConfig, NodeConfig]) -> None:
    key, before, after = changed
    assert key.at_start == any(getattr(before, name) != getattr(after, name) for name in AT_START)


def test_a_rate_by_which_nothing_would_ever_come_is_refused(tmp_path: Path) -> None:
    place = kinds.Place(tmp_path, {})
    assert kinds.RATE.read("1K", place) == 1024
    with pytest.raises(ValueError, match="a size for each second of 1K or more"):
        kinds.RATE.read("1023B", place)
