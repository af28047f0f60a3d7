"""The reference of files has every key that is accepted, and says of it what holds."""

from pathlib import Path

import pytest

from caroni_edge.agent import jobtype_keys
from caroni_edge.agent.jobtype_keys import JobTypeKey
from caroni_edge.agent.jobtypes import parse_job_type
from caroni_edge.agent.limits import Limits
from caroni_edge.config.key import Key
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS, NAMES, tree
from caroni_edge.config.sources import variable_names
from caroni_edge.config.units import size
from caroni_edge.documents.documents import Problems
from tests.architecture.source import ROOT

GIVEN = {
    "inputs": "{a: string}",
    "outputs": "{b: string}",
    "script": "exit",
    "command": "[/bin/true]",
    "interpreter": "[sh]",
    "environment": "{A: b}",
    "limits.timeout": "1s",
    "limits.memory": "1G",
    "limits.output": "1K",
    "limits.log": "1K",
    "limits.nice": "3",
    "repeat": "false",
    "secrets": "{API_KEY: {file: /etc/caroni-edge/api.key}, DB: {credential: db}}",
    "needs": "{camera: 1, memory: 4G}",
    "parallel": "2",
    "sandbox.each": "true",
    "sandbox.network": "false",
    "sandbox.read": "[/data]",
    "sandbox.write": "[/data]",
    "sandbox.processes": "64",
    "sandbox.disk": "1G",
}


def rows(name: str) -> dict[str, list[str]]:
    """Return the cells of the rows about keys, by key."""
    lines = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| `")]
    return {first.strip("`"): rest for first, *rest in cells}


@pytest.mark.parametrize(("name", "keys"), [("manager.yaml.md", MANAGER_KEYS), ("agent.yaml.md", AGENT_KEYS)])
def test_every_key_is_there_with_the_variable_that_sets_it(name: str, keys: tuple[Key, ...]) -> None:
    shown = rows(name)
    assert list(shown) == [key.name for key in keys]
    known = set(variable_names(tree(keys)))
    assert {cells[-1].strip("`") for cells in shown.values()} <= known
    assert all(part in NAMES for name in shown for part in name.split(".") if part.isupper())


@pytest.mark.parametrize("key", jobtype_keys.KEYS, ids=lambda key: key.name)
def test_a_job_type_may_have_every_key_that_is_shown(key: JobTypeKey) -> None:
    assert key.name in rows("jobtype.yaml.md")
    runs = "" if key.name in {"script", "command"} else "script: exit\n"
    section, _, last = key.name.rpartition(".")
    given = "" if key.name == "name" else f"{last}: {GIVEN[key.name]}"
    text = f"name: a\n{runs}{f'{section}: {{{given}}}' if section else given}"
    assert parse_job_type(text, Path("a.yaml")).source == text


def test_a_job_type_may_have_no_other_key() -> None:
    for wrong in ("size: 3", "limits: {size: 3}"):
        with pytest.raises(Problems, match='unknown key "size"'):
            parse_job_type(f"name: a\nscript: exit\n{wrong}", Path("a.yaml"))


def test_the_limits_that_hold_by_default_are_shown() -> None:
    shown = rows("jobtype.yaml.md")
    assert size(shown["limits.output"][1]) == Limits().output_bytes
    assert size(shown["limits.log"][1]) == Limits().log_bytes
