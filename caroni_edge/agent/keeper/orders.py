"""Start orders: what they say, and how far the agent's database had come at the last one.

The latter shows, later, that an older copy of the database was put back.

The agent counts each change of its jobs (`serial`), and has committed a count before it orders the start that was
counted. So a database of the same name whose count is less than that of an order is a copy from before it: it does not
know what has been started since. It is kept here since here it is not restored with the database.

It is not synced, as the records of starts are not: after a power cut there may be an older one, or none.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.records import Start

ORDERS = "orders"

_LIMIT_BYTES = 4096
_LENGTH_BYTES = 256
"""So long is the text at least, with blanks at its end: the one before it is never longer."""


class Known(NamedTuple):
    """The greatest count of all start orders.

    Attributes:
        database: Name of the agent's database; empty where no order has named one.
        serial: Its count.
    """

    database: str = ""
    serial: int = 0


def read_known(state_dir: str) -> Known:
    """Read what is kept; nothing where that cannot be read."""
    try:
        said = json.loads(files.read_regular(f"{state_dir}/{ORDERS}", _LIMIT_BYTES))
        return Known(str(said["database"]), int(said["serial"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Known()


def note_order(state_dir: str, known: Known, database: str, serial: int) -> Known:
    """Keep the count of an order that is about to be carried out, if it is news; return what is kept now.

    Raises:
        OSError: It cannot be written.
    """
    found = Known(database, max(serial, known.serial) if database == known.database else serial)
    if found != known:
        # In its place, and in one write: a keeper that dies leaves the old text or the new one.
        file = files.open_regular(f"{state_dir}/{ORDERS}", os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(file, json.dumps(found._asdict()).encode().ljust(_LENGTH_BYTES), 0)
        finally:
            os.close(file)
    return found


def ordered(order: Mapping[str, Any], boot: str, space: str) -> tuple[Start, list[str]]:
    """Return the record of a start that is ordered, and what is to be started.

    Args:
        order: The request.
        boot: The present boot of the host.
        space: The namespace of process ids in which it will be.

    Raises:
        ValueError, TypeError, KeyError: The order makes no sense.
    """
    job, timeout_s, argv = str(order["job"]), order.get("timeout_s"), [str(word) for word in order["argv"]]
    if not argv or "/" in job or job.startswith("."):
        raise ValueError(f"{job} cannot be started: {argv}")
    start = Start(
        job=job,
        boot=boot,
        date=time.time(),
        deadline=None if timeout_s is None else time.monotonic() + timeout_s,
        timeout_s=timeout_s,
        log_bytes=order.get("log_bytes"),
        memory_bytes=order.get("memory_bytes"),
        processes=_whole(order.get("processes")),
        disk_bytes=_whole(order.get("disk_bytes")),
        about=order.get("about") or {},
        space=space,
        is_alone=order.get("is_alone") is True,
        has_secrets=bool(order.get("secrets")),
    )
    return start, argv


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
