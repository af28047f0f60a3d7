"""Configurations of nodes for tests: what the smallest files give, with changes."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from caroni_edge.config import AgentConfig, ManagerConfig, load_agent, load_manager

SMALLEST = "id: {id}\nbroker: {{url: mqtt://127.0.0.1}}\n"


def manager_config(**changes: Any) -> ManagerConfig:
    """Return the configuration of the manager `m1`."""
    return replace(_manager(), **changes)


def agent_config(**changes: Any) -> AgentConfig:
    """Return the configuration of the agent `a1`: few places, and nothing that depends on dates or the disk."""
    few = {
        "slots": 2,
        "backlog": 2,
        "pending": 2,
        "backlog_most": 0,
        "pending_most": 0,
        "disk_floor_bytes": 0,
        "retention_s": None,
        "retention_bytes": None,
    }
    return replace(_agent(), **{**few, **changes})


@cache
def _manager() -> ManagerConfig:
    with tempfile.TemporaryDirectory() as directory:
        return load_manager(_written(directory, "m1"), {})


@cache
def _agent() -> AgentConfig:
    with tempfile.TemporaryDirectory() as directory:
        return load_agent(_written(directory, "a1"), {})


def _written(directory: str, name: str) -> Path:
    path = Path(directory) / "config.yaml"
    path.write_text(SMALLEST.format(id=name))
    return path
