"""SQLite: how a state database is opened, migrated and written to."""
