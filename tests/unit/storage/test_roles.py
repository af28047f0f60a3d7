"""A state database is that of one kind of node."""

from pathlib import Path

import pytest

from caroni_edge.storage.database import open_database
from caroni_edge.storage.migrations import OtherRole


def test_the_database_of_an_agent_is_no_managers(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_database(path, "agents").close()
    with pytest.raises(OtherRole, match="the state database of an agent, and it was given to a workflow manager"):
        open_database(path, "managers")
    open_database(path, "agents").close()


def test_the_database_of_a_manager_is_no_agents(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_database(path, "managers").close()
    with pytest.raises(OtherRole, match="of a workflow manager, and it was given to an agent"):
        open_database(path, "agents")
