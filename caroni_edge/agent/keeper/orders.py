"""How far the agent's database had come at the last start order: it shows, later, that an older copy was put back.

The agent counts each change of its jobs (`serial`), and has committed a count before it orders the start that was
counted. So a database of the same name whose count is less than that of an order is a copy from before it: it does not
know what has been started since. It is kept here since here it is not restored with the database.

It is not synced, as the records of starts are not: after a power cut there may be an older one, or none.
"""

import json
from typing import NamedTuple

from caroni_edge.agent.keeper import files

ORDERS = "orders"

_LIMIT_BYTES = 4096


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
        files.replace(f"{state_dir}/{ORDERS}", json.dumps(found._asdict()).encode())
    return found
