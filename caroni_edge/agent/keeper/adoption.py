"""Finds the jobs of a keeper that has died."""

import os
from collections.abc import Iterator

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.job import Job
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.logs import Log
from caroni_edge.agent.keeper.places import Places
from caroni_edge.agent.keeper.processes import began, open_process
from caroni_edge.agent.keeper.records import KILLED, RUNNING, UNSEEN, Exit, Start, read_running
from caroni_edge.agent.keeper.trees import leader


def left_running(places: Places) -> Iterator[tuple[str, Start | None, Exit | None]]:
    """Yield the jobs on the list of those that run, with the records of their start and end, as far as they are there.

    Of a job whose record cannot be read there is neither: its process is to be found by its mark.
    """
    for name in sorted(os.listdir(f"{places.home}/{RUNNING}")):
        try:
            yield name, *read_running(places.state_dir, name, places.home)
        except OSError as error:
            note(f"{name}: its record cannot be read: {error}")
            yield name, None, None


def find(start: Start, outputs: str, directory: str, *, boot: str, space: str) -> tuple[Job, int | None]:
    """Return the job of a start that was recorded, and the pidfd of its first process; None where that has ended.

    Args:
        start: The record; of one that cannot be read, as much as is known.
        outputs: What marks the job.
        directory: The job's.
        boot: The present boot of the host.
        space: The namespace of process ids that we are in.
    """
    if start.boot not in {boot, ""}:
        return Job(start, outputs, is_child=False, cause=(UNSEEN, reasons.UNSEEN_REBOOT)), None
    if start.space not in {space, ""}:
        return Job(start, outputs, is_child=False, cause=(UNSEEN, reasons.UNSEEN_BOX)), None
    try:
        if not (start.pid and start.ticks):
            pid = leader(outputs)
            start = start._replace(pid=pid, ticks=began(pid) if pid else 0)
        pidfd = open_process(start.pid, start.ticks)
        if pidfd is not None:
            with files.opened_or_made(directory):
                log = Log() if start.has_secrets else Log.found(start.pid, directory, start.log_bytes)
            return Job(start, outputs, log, is_child=False), pidfd
        cause = UNSEEN, reasons.unseen(start.boot, boot)
    except OSError as error:
        cause = KILLED, reasons.not_watched(error)
    return Job(start, outputs, is_child=False, cause=cause), None
