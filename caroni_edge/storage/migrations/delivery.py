"""Tables of the link and of what both roles keep."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from caroni_edge.storage.migrations.script import script

delivery = Migrations("delivery")


@delivery()
def first(db: Database) -> None:
    """Positions and outbox of the link, events waiting for their PUBACK, dead letters, facts about the node."""
    script(
        db,
        """
        CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE peers (
            peer TEXT PRIMARY KEY,
            acked_seq INTEGER NOT NULL DEFAULT 0, acked_id TEXT NOT NULL DEFAULT '',
            taken_seq INTEGER NOT NULL DEFAULT 0, taken_id TEXT NOT NULL DEFAULT '',
            reconcile INTEGER NOT NULL DEFAULT 0,
            silent_s REAL NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE outbox (
            peer TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (peer, seq)
        ) WITHOUT ROWID;
        CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL);
        CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY, date REAL NOT NULL, peer TEXT NOT NULL, message TEXT NOT NULL,
            body BLOB NOT NULL, traceback TEXT NOT NULL
        );
    """,
    )


@delivery()
def audit(db: Database) -> None:
    """Who has changed what by the page, the API or a command, and from where."""
    script(
        db,
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY, date REAL NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL,
            action TEXT NOT NULL, about TEXT NOT NULL, outcome TEXT NOT NULL
        );
    """,
    )


@delivery()
def objects(db: Database) -> None:
    """Objects that lie here, whose they are, and who needs them; triggers count the references of each."""
    script(
        db,
        """
        CREATE TABLE objects (
            object TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL, refs INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE INDEX objects_unreferenced ON objects (used) WHERE refs = 0;
        CREATE TABLE object_owners (
            manager TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (manager, object)
        ) WITHOUT ROWID;
        CREATE INDEX object_owners_object ON object_owners (object);
        CREATE TABLE object_references (
            manager TEXT NOT NULL, workflow TEXT NOT NULL, object TEXT NOT NULL, job TEXT NOT NULL,
            PRIMARY KEY (manager, workflow, object, job)
        ) WITHOUT ROWID;
        CREATE INDEX object_references_job ON object_references (job);
        CREATE TRIGGER object_referred AFTER INSERT ON object_references BEGIN
            UPDATE objects SET refs = refs + 1 WHERE object = new.object;
        END;
        CREATE TRIGGER object_released AFTER DELETE ON object_references BEGIN
            UPDATE objects SET refs = refs - 1 WHERE object = old.object;
        END;
        CREATE TRIGGER object_deleted AFTER DELETE ON objects BEGIN
            DELETE FROM object_owners WHERE object = old.object;
        END;
        """,
    )


@delivery()
def object_losses(db: Database) -> None:
    """An object that goes takes what refers to it along: else one of that name that came later was counted wrong."""
    script(
        db,
        """
        CREATE INDEX object_references_object ON object_references (object);
        CREATE TRIGGER object_lost AFTER DELETE ON objects BEGIN
            DELETE FROM object_references WHERE object = old.object;
        END;
        """,
    )


@delivery()
def object_keys(db: Database) -> None:
    """The keys of tickets: at a holder those of each manager, at a manager those of each holder."""
    script(
        db,
        """
        CREATE TABLE object_keys (
            peer TEXT PRIMARY KEY, generation INTEGER NOT NULL, secret BLOB NOT NULL,
            last_generation INTEGER, last_secret BLOB
        ) WITHOUT ROWID;
        """,
    )


@delivery()
def directories(db: Database) -> None:
    """Objects that are directories: what they name stays as long as they do, be it here already or not."""
    script(
        db,
        """
        ALTER TABLE objects ADD COLUMN is_directory INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE directory_files (
            directory TEXT NOT NULL, object TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (directory, object)
        ) WITHOUT ROWID;
        CREATE INDEX directory_files_object ON directory_files (object);
        CREATE TRIGGER directory_file_named AFTER INSERT ON directory_files BEGIN
            UPDATE objects SET refs = refs + 1 WHERE object = new.object;
        END;
        CREATE TRIGGER directory_file_released AFTER DELETE ON directory_files BEGIN
            UPDATE objects SET refs = refs - 1 WHERE object = old.object;
        END;
        CREATE TRIGGER directory_file_came AFTER INSERT ON objects BEGIN
            UPDATE objects SET refs = refs + (SELECT count(*) FROM directory_files WHERE object = new.object)
            WHERE object = new.object;
        END;
        CREATE TRIGGER directory_deleted AFTER DELETE ON objects BEGIN
            DELETE FROM directory_files WHERE directory = old.object;
        END;
        """,
    )
