"""What keepers say of jobs, where one has died between what it has done and what it has said."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from caroni_edge.agent.keeper.records import JOBS, OUTPUTS, RUNNING, Start, boot_id, claim
from caroni_edge.agent.processes.hearing import Hearing
from caroni_edge.agent.processes.openjobs import Open, OpenJobs
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobEnded, JobNews, JobRecalled


class Link:
    """A link to a keeper that has nothing."""

    is_connected, is_retired = True, False

    def all(self) -> list["Link"]:
        """Be the only one."""
        return [self]


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_job_that_was_recalled_is_started_again_only_if_it_has_no_record(tmp_path: Path, has_begun: bool) -> None:
    for directory in (f"{JOBS}/j1", RUNNING):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / JOBS / "j1" / OUTPUTS).touch()
    told: list[JobNews] = []
    removed: list[str] = []
    opened, link = OpenJobs(str(tmp_path), told.append, cast(Any, None)), cast(Any, Link())
    hearing = Hearing(str(tmp_path), opened, removed.append, lambda _found: None)
    hearing.keepers = link
    hearing.take(link, {"event": "running", "jobs": []})
    if has_begun:  # and its keeper has died before it said so
        os.close(claim(str(tmp_path), Start("j1", boot_id(), 1.0)))
    opened.add("j1", Open(request={"do": "start", "job": "j1"}, link=link, is_ahead=True, is_recalled=True))
    hearing.take(link, {"event": "running", "jobs": []})
    if has_begun:
        (ended,) = told
        assert isinstance(ended, JobEnded)
        assert isinstance(ended.outcome, Failed)
        assert removed == []
    else:
        assert told == [JobRecalled("j1")]
        assert removed == ["j1"]
