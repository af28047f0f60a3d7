"""Schemas of the state databases, as append-only migrations of sqlite-utils.

A migration that has been released is never edited: the next change is a new function below it. Tests compare a fresh
database with one that was migrated with rows in it.
"""

import sqlite3
from typing import Literal

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from caroni_edge.base.errors import CaroniError
from caroni_edge.storage.migrations.agent import agent
from caroni_edge.storage.migrations.delivery import delivery
from caroni_edge.storage.migrations.manager import manager

Role = Literal["managers", "agents"]

SETS: dict[Role, tuple[Migrations, ...]] = {"managers": (delivery, manager), "agents": (delivery, agent)}


class DatabaseNewer(CaroniError):
    """The state database was written by a newer release of Caroni Edge (it has the migration {name})."""

    hint = "Install that release again, or give this one an empty state_dir."
    exit_status = 2


class OtherRole(CaroniError):
    """This is the state database of {owner}, and it was given to {reader}."""

    hint = "Give each node a state_dir of its own, and this one the one that is its."
    exit_status = 2


_NODES: dict[Role, str] = {"managers": "a workflow manager", "agents": "an agent"}
_OWNERS: dict[str, Role] = {agent.name: "agents", manager.name: "managers"}


def migrate(conn: sqlite3.Connection, role: Role, where: str) -> None:
    """Apply what is missing, each migration in a transaction with the record that it ran.

    Raises:
        DatabaseNewer: It has migrations that this program does not know.
        OtherRole: It is that of a node of the other kind.
    """
    refuse_newer(conn, role, where)
    db = Database(conn, execute_plugins=False)
    for each in SETS[role]:
        each.apply(db)


def refuse_newer(conn: sqlite3.Connection, role: Role, where: str) -> None:
    """Refuse a database that a newer program, or a node of the other kind, has written to. It is only read.

    Raises:
        DatabaseNewer: It has migrations that this program does not know.
        OtherRole: It is that of a node of the other kind.
    """
    known = {(each.name, migration.name) for each in SETS[role] for migration in each._migrations}
    for applied in _applied(Database(conn, execute_plugins=False)):
        owner = _OWNERS.get(applied[0], role)
        if owner != role:
            raise OtherRole(where, owner=_NODES[owner], reader=_NODES[role])
        if applied not in known:
            raise DatabaseNewer(where, name="/".join(applied))


def schema_version(conn: sqlite3.Connection) -> str:
    """Return the last migration of each set that was applied to a database, as `delivery/audit, agent/first`."""
    last = dict(_applied(Database(conn, execute_plugins=False)))
    return ", ".join(f"{each}/{name}" for each, name in last.items())


def _applied(db: Database) -> list[tuple[str, str]]:
    if "_sqlite_migrations" not in db.table_names():
        return []
    return list(db.conn.execute("SELECT migration_set, name FROM _sqlite_migrations ORDER BY rowid"))
