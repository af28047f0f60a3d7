"""Several statements within the migration's transaction."""

from sqlite3 import complete_statement

from sqlite_utils import Database


def script(db: Database, statements: str) -> None:
    """Execute statements that end with `;`; unlike `executescript` this commits nothing."""
    statement = ""
    for part in statements.split(";"):
        statement += f"{part};"
        if complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
