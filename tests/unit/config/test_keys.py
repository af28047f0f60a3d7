"""Every key of the table changes the configuration that daemons get."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config import kinds, load_agent, load_manager
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS, Key

BASE: dict[str, Any] = {
    "id": "n1",
    "broker": {"url": "mqtts://broker.example", "username": "n1", "cert_file": "first"},
    "web": {"cert_file": "first", "users": {"eve": {"role": "viewer", "password": "first"}}},
}
NAMED = {"USER": "eve", "MANAGER": "m7", "JOB_TYPE": "sh"}
OTHER: dict[Any, Any] = {
    **dict.fromkeys((kinds.TEXT, kinds.SEGMENT, kinds.USER, kinds.PATH, kinds.SECRET), "other"),
    **dict.fromkeys((kinds.DURATION, kinds.DURATION_OR_NEVER), "7s"),
    **dict.fromkeys((kinds.SIZE, kinds.SIZE_OR_NEVER), "7M"),
    kinds.BROKER_URL: "mqtts://elsewhere.example",
    kinds.TOPIC_FILTERS: ["elsewhere/#"],
    kinds.AGENTS: ["a1", "a2"],
    kinds.FLAG: False,
    kinds.NETWORKS: ["10.0.0.0/8"],
}


def other(key: Key) -> object:
    """Return a value that a key does not have by itself."""
    words = key.kind.name.split(" or ")
    if key.kind in OTHER:
        return OTHER[key.kind]
    return next((word for word in words[1:] if word != key.default), 7)


@pytest.mark.parametrize(
    ("load", "key"),
    [(load, key) for load, keys in ((load_manager, MANAGER_KEYS), (load_agent, AGENT_KEYS)) for key in keys],
    ids=lambda value: value.name if isinstance(value, Key) else value.__name__,
)
def test_a_key_changes_the_configuration(load: Any, key: Key, tmp_path: Path) -> None:
    path, values = tmp_path / "node.yaml", deepcopy(BASE)
    for name in ("first", "file"):
        (tmp_path / name).write_text("of a file")
    path.write_text(json.dumps(values))
    before = load(path, {})
    *sections, last = (NAMED.get(part, part) for part in key.name.split("."))
    section = values
    for name in sections:
        section = section.setdefault(name, {})
    section.pop(key.gives, None)
    section[last] = "file" if key.kind in (kinds.SECRET_FILE, kinds.READABLE_FILE) else other(key)
    path.write_text(json.dumps(values))
    assert load(path, {}) != before
