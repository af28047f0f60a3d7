"""How often pages that follow are told that there is something new."""

from pathlib import Path

import pytest

from caroni_edge.web.live import TOLD_AT_ONCE, Changes
from caroni_edge.web.readers import Readers


def test_all_streams_together_are_told_so_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [1000.0]
    monkeypatch.setattr("caroni_edge.web.live.time.monotonic", lambda: now[0])
    changes = Changes(Readers(tmp_path / "none"), lambda: None, 100)
    at_once = sum(changes._may_tell() for _ in range(100))
    assert at_once == TOLD_AT_ONCE
    now[0] += 2.5
    assert [changes._may_tell() for _ in range(3)] == [True, True, False]
    now[0] += 3600
    assert sum(changes._may_tell() for _ in range(100)) == TOLD_AT_ONCE
