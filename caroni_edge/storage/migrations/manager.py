"""Tables of the manager."""

from sqlite_utils.migrations import Migrations

manager = Migrations("manager")
