"""Tables of the agent: its migrations, but for the first ones (`agent_first.py`)."""

from sqlite_utils import Database

from caroni_edge.storage.migrations.agent_first import agent
from caroni_edge.storage.migrations.script import script

__all__ = ["agent"]


@agent()
def object_answers(db: Database) -> None:
    """How far managers were told which objects are kept for them."""
    script(
        db,
        """
        CREATE TABLE object_answers (manager TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID;
        """,
    )


@agent()
def wanted_objects(db: Database) -> None:
    """The objects that jobs wait for, with their places; a counter tells whether they are others than before."""
    script(
        db,
        """
        CREATE TABLE wanted_objects (
            job TEXT NOT NULL, object TEXT NOT NULL, size INTEGER NOT NULL, places TEXT NOT NULL,
            PRIMARY KEY (job, object)
        ) WITHOUT ROWID;
        CREATE INDEX wanted_objects_object ON wanted_objects (object);
        INSERT INTO counters (name, value) VALUES ('wanted_objects', 0);
        CREATE TRIGGER wanted_added AFTER INSERT ON wanted_objects BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER wanted_changed AFTER UPDATE ON wanted_objects BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER wanted_deleted AFTER DELETE ON wanted_objects BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER job_staged AFTER UPDATE OF state ON jobs WHEN old.state = 'staging' AND new.state <> 'staging'
        BEGIN
            DELETE FROM wanted_objects WHERE job = new.job;
        END;
        CREATE TRIGGER job_wants_nothing AFTER DELETE ON jobs BEGIN
            DELETE FROM wanted_objects WHERE job = old.job;
        END;
        """,
    )


@agent()
def wanted_directories(db: Database) -> None:
    """Which of the objects that jobs wait for are directories, and which are files of one."""
    script(
        db,
        """
        ALTER TABLE wanted_objects ADD COLUMN is_directory INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE wanted_objects ADD COLUMN directory TEXT NOT NULL DEFAULT '';
        """,
    )


@agent()
def takers(db: Database) -> None:
    """Pending jobs that take inputs from the outputs of other jobs here."""
    script(
        db,
        """
        ALTER TABLE jobs ADD COLUMN inputs_from TEXT;
        CREATE TABLE takers (giver TEXT NOT NULL, taker TEXT NOT NULL, PRIMARY KEY (giver, taker)) WITHOUT ROWID;
        CREATE INDEX takers_taker ON takers (taker);
        CREATE TRIGGER job_takes_nothing AFTER DELETE ON jobs BEGIN
            DELETE FROM takers WHERE taker = old.job;
        END;
        """,
    )


@agent()
def object_totals(db: Database) -> None:
    """How much lies here in all, and of each manager: kept with each change, so that nobody has to count it.

    What two managers have is counted for both, and once in all.
    """
    script(
        db,
        """
        CREATE TABLE object_totals (
            manager TEXT PRIMARY KEY, objects INTEGER NOT NULL, size INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO object_totals SELECT w.manager, count(*), sum(o.size)
            FROM object_owners w CROSS JOIN objects o ON o.object = w.object GROUP BY w.manager;
        INSERT INTO counters (name, value) SELECT 'objects', count(*) FROM objects;
        INSERT INTO counters (name, value) SELECT 'objects_size', coalesce(sum(size), 0) FROM objects;
        CREATE TRIGGER object_counted AFTER INSERT ON objects BEGIN
            UPDATE counters SET value = value + iif(name = 'objects', 1, new.size)
            WHERE name IN ('objects', 'objects_size');
        END;
        CREATE TRIGGER object_discounted BEFORE DELETE ON objects BEGIN
            UPDATE counters SET value = value - iif(name = 'objects', 1, old.size)
            WHERE name IN ('objects', 'objects_size');
            DELETE FROM object_owners WHERE object = old.object;
        END;
        CREATE TRIGGER owner_counted AFTER INSERT ON object_owners BEGIN
            INSERT INTO object_totals SELECT new.manager, 1, size FROM objects WHERE object = new.object
            ON CONFLICT (manager) DO UPDATE SET objects = objects + 1, size = size + excluded.size;
        END;
        CREATE TRIGGER owner_discounted AFTER DELETE ON object_owners BEGIN
            UPDATE object_totals SET objects = objects - 1,
                size = size - coalesce((SELECT size FROM objects WHERE object = old.object), 0)
            WHERE manager = old.manager;
            DELETE FROM object_totals WHERE manager = old.manager AND objects = 0;
        END;
        """,
    )


@agent()
def wanted_locations(db: Database) -> None:
    """The files at http and https addresses that jobs wait for, and what has come from there for which workflow."""
    script(
        db,
        """
        CREATE TABLE wanted_locations (
            job TEXT NOT NULL, location TEXT NOT NULL, checksum TEXT NOT NULL, size INTEGER NOT NULL,
            PRIMARY KEY (job, location, checksum)
        ) WITHOUT ROWID;
        CREATE INDEX wanted_locations_location ON wanted_locations (location, checksum);
        CREATE TRIGGER location_added AFTER INSERT ON wanted_locations BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER location_deleted AFTER DELETE ON wanted_locations BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER job_located AFTER UPDATE OF state ON jobs WHEN old.state = 'staging' AND new.state <> 'staging'
        BEGIN
            DELETE FROM wanted_locations WHERE job = new.job;
        END;
        CREATE TRIGGER job_seeks_nothing AFTER DELETE ON jobs BEGIN
            DELETE FROM wanted_locations WHERE job = old.job;
        END;
        CREATE TABLE fetched_locations (
            manager TEXT NOT NULL, workflow TEXT NOT NULL, location TEXT NOT NULL, checksum TEXT NOT NULL,
            object TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (manager, workflow, location, checksum)
        ) WITHOUT ROWID;
        CREATE INDEX fetched_locations_object ON fetched_locations (object);
        CREATE TRIGGER fetched_location_gone AFTER DELETE ON objects BEGIN
            DELETE FROM fetched_locations WHERE object = old.object;
        END;
        """,
    )


@agent()
def keeps(db: Database) -> None:
    """What this agent has promised to keep as a depot and does not have yet, in the order in which it was asked.

    The counter of `wanted_objects` tells of changes here, too.
    """
    script(
        db,
        """
        CREATE TABLE keeps (
            turn INTEGER PRIMARY KEY, manager TEXT NOT NULL, workflow TEXT NOT NULL, object TEXT NOT NULL,
            directory TEXT NOT NULL, size INTEGER NOT NULL, places TEXT NOT NULL, is_directory INTEGER NOT NULL,
            UNIQUE (manager, workflow, object, directory)
        );
        CREATE INDEX keeps_object ON keeps (manager, object);
        CREATE INDEX keeps_directory ON keeps (manager, workflow, directory);
        CREATE TRIGGER keep_added AFTER INSERT ON keeps BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER keep_changed AFTER UPDATE ON keeps BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        CREATE TRIGGER keep_deleted AFTER DELETE ON keeps BEGIN
            UPDATE counters SET value = value + 1 WHERE name = 'wanted_objects';
        END;
        """,
    )


@agent()
def bucket_objects(db: Database) -> None:
    """What a depot has in its bucket, or is to have there (`agent/store/bucket.py`); what lies there alone is counted.

    An object that goes here goes from the bucket too.
    """
    script(
        db,
        """
        CREATE TABLE bucket_objects (
            object TEXT PRIMARY KEY, size INTEGER NOT NULL, state TEXT NOT NULL, used REAL NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX bucket_objects_state ON bucket_objects (state, object);
        CREATE INDEX bucket_objects_used ON bucket_objects (used) WHERE state = 'both';
        INSERT INTO counters (name, value) VALUES ('away_size', 0);
        CREATE TRIGGER bucket_object_moved AFTER UPDATE OF state ON bucket_objects
        WHEN (old.state = 'away') <> (new.state = 'away') BEGIN
            UPDATE counters SET value = value + iif(new.state = 'away', new.size, -new.size) WHERE name = 'away_size';
        END;
        CREATE TRIGGER bucket_object_forgotten AFTER DELETE ON bucket_objects WHEN old.state = 'away' BEGIN
            UPDATE counters SET value = value - old.size WHERE name = 'away_size';
        END;
        CREATE TRIGGER object_leaves_bucket AFTER DELETE ON objects BEGIN
            UPDATE bucket_objects SET state = 'going' WHERE object = old.object;
        END;
        CREATE TRIGGER bucket_object_used AFTER UPDATE OF used ON objects BEGIN
            UPDATE bucket_objects SET used = new.used WHERE object = new.object;
        END;
        """,
    )


@agent()
def keeps_in_turns(db: Database) -> None:
    """Who has what is to come (16 places at most), as JSON: what the same have stands in one line."""
    holders = ", ".join(f"'$[{nth}].holder'" for nth in range(16))
    script(
        db,
        f"""
        ALTER TABLE keeps ADD COLUMN holders TEXT AS (json_extract(places, {holders})) VIRTUAL;
        CREATE INDEX keeps_line ON keeps (manager, holders);
        """,
    )


@agent()
def set_aside(db: Database) -> None:
    """The files that have given their room to others, and how many bytes of each are here."""
    script(
        db,
        """
        CREATE TABLE set_aside (
            manager TEXT NOT NULL, object TEXT NOT NULL, came INTEGER NOT NULL, PRIMARY KEY (manager, object)
        ) WITHOUT ROWID;
        """,
    )


@agent()
def ended_jobs_release(db: Database) -> None:
    """A job needs what it has taken no more when its manager has acknowledged that it has ended, or was declined.

    Of a trial its owner may want to see it. Of what has ended already, and is not to be said any more, it is all gone.
    """
    script(
        db,
        """
        DELETE FROM object_references WHERE job IN (SELECT job FROM jobs WHERE ended IS NOT NULL AND manager <> '')
        AND job NOT IN (SELECT coalesce(json_extract(CAST(body AS TEXT), '$.job'), '') FROM outbox);
        CREATE TRIGGER acknowledged_end_releases AFTER DELETE ON outbox
        WHEN EXISTS (SELECT 1 FROM object_references) AND (
            json_extract(CAST(old.body AS TEXT), '$.ended') IS NOT NULL
            OR json_extract(CAST(old.body AS TEXT), '$.type') = 'JobDecline'
        ) BEGIN
            DELETE FROM object_references WHERE job = json_extract(CAST(old.body AS TEXT), '$.job')
            AND job IN (SELECT job FROM jobs WHERE ended IS NOT NULL AND manager <> '');
        END;
        """,
    )


@agent()
def in_hand(db: Database) -> None:
    """What is in hand is found among what there ever was: one row for each manager and job type that has come."""
    script(
        db,
        """
        CREATE INDEX load_there ON load (state, manager, job_type, jobs) WHERE jobs > 0;
        CREATE INDEX offers_open ON offers (valid_until) WHERE state = 'open';
        """,
    )
