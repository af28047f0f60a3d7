"""A database that a newer program has written is refused, and left as it was."""

from pathlib import Path
from typing import get_args

import pytest

from caroni_edge.storage.database import open_database
from caroni_edge.storage.migrations import DatabaseNewer, Role
from tests.support import add_migration


@pytest.mark.parametrize("role", get_args(Role))
def test_it_is_refused_in_clear_words_and_left_alone(role: Role, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_database(path, role).close()
    add_migration(path)
    before = path.read_bytes()
    with pytest.raises(DatabaseNewer, match="written by a newer release of Caroni Edge") as refused:
        open_database(path, role)
    assert "the migration delivery/from_tomorrow" in str(refused.value)
    assert refused.value.hint == "Install that release again, or give this one an empty state_dir."
    assert refused.value.exit_status == 2
    assert path.read_bytes() == before
