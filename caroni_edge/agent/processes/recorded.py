"""What the agent reads and writes of the records of jobs when their keepers do not tell."""

import logging
import os
import time
from collections.abc import Iterable

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.orders import Known, read_known
from caroni_edge.agent.keeper.records import UNSEEN, Exit, Start, boot_id, claim, directory_of, read
from caroni_edge.agent.processes.port import JobBegun

log = logging.getLogger(__name__)


def begun_of(state_dir: str, waiting: Iterable[str]) -> list[JobBegun]:
    """Return the jobs that were started, of those that wait as the database says."""
    begun = []
    for job in waiting:
        try:
            start = read(state_dir, job).start
        except OSError as error:
            ids = {"action": "record_unreadable", "job": job}
            log.error("its record cannot be read, so it may have begun: %s", error, extra=ids)
            start = Start(job, "", time.time())
        if start is not None and not start.never:
            begun.append(JobBegun(job, start.date))
    return begun


def forbid(state_dir: str, job: str, never: str) -> bool:
    """Make sure that nobody starts a job any more; return False when it has just been started after all.

    A keeper may still have a request to read that an agent sent before it died.

    Raises:
        OSError: It cannot be written down.
    """
    with files.opened_or_made(directory_of(state_dir, job)):
        pass
    try:
        os.close(claim(state_dir, Start(job, boot_id(), time.time(), never=never)))
    except FileExistsError:
        return False
    return True


def unseen(start: Start) -> Exit:
    """Return the end of a job that was started, does not run, and has no end on record."""
    return Exit(start.job, start.boot, time.time(), UNSEEN, None, reasons.unseen(start.boot, boot_id()), start.date)


def latest(state_dir: str, said: Iterable[Known]) -> Known:
    """Return how far the agent's database had come at the last start order, of what each keeper knows of that.

    The file that all of them write names the database; one keeper may have put a smaller count there than another.
    """
    known = read_known(state_dir)
    for each in said:
        if each.database == known.database or not known.database:
            known = Known(each.database, max(each.serial, known.serial))
    return known
