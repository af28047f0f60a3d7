"""Tables of the agent."""

from sqlite_utils.migrations import Migrations

agent = Migrations("agent")
