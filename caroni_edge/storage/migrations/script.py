"""How a migration runs several statements."""

from sqlite3 import complete_statement

from sqlite_utils import Database


def script(db: Database, statements: str) -> None:
    """Execute statements that end with `;`, within the migration's transaction (`executescript` would commit it)."""
    statement = ""
    for part in statements.split(";"):
        statement += f"{part};"
        if complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
