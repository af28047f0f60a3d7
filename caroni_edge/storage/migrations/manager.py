"""Tables of the manager: its newest migrations. Those before are in `manager_first.py` and `manager_second.py`."""

from sqlite_utils import Database

from caroni_edge.storage.migrations.manager_second import manager
from caroni_edge.storage.migrations.script import script

__all__ = ["manager"]


@manager()
def object_places(db: Database) -> None:
    """Which agent has which object of a workflow; it goes with the workflow."""
    script(
        db,
        """
        CREATE TABLE object_places (
            workflow INTEGER NOT NULL, object TEXT NOT NULL, agent TEXT NOT NULL, PRIMARY KEY (workflow, object, agent)
        ) WITHOUT ROWID;
        CREATE INDEX object_places_agent ON object_places (agent);
        CREATE TRIGGER workflow_places AFTER DELETE ON workflows BEGIN
            DELETE FROM object_places WHERE workflow = old.seq;
        END;
        """,
    )


@manager()
def notifications(db: Database) -> None:
    """What waits to be told outside, how it went with others, and what must be known to tell it once."""
    script(
        db,
        """
        CREATE TABLE notifications (
            id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, event TEXT NOT NULL, body BLOB NOT NULL,
            date REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX notifications_target ON notifications (target, id);
        CREATE TABLE targets (
            target TEXT PRIMARY KEY, taken INTEGER NOT NULL, dropped INTEGER NOT NULL, said TEXT, date REAL
        ) WITHOUT ROWID;
        CREATE TABLE failing (entry TEXT NOT NULL, template TEXT NOT NULL, PRIMARY KEY (entry, template)) WITHOUT ROWID;
        CREATE TABLE silent (agent TEXT PRIMARY KEY) WITHOUT ROWID;
        """,
    )


@manager()
def labels_of_agents(db: Database) -> None:
    """What agents are, as they say: a JSON list as `["site=north"]`."""
    script(db, "ALTER TABLE agents ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';")


@manager()
def struck_places(db: Database) -> None:
    """Whether a place has its object: 1, or 2 while its agent says what it has and has not named it, or 0."""
    script(
        db,
        """
        ALTER TABLE object_places ADD COLUMN held INTEGER NOT NULL DEFAULT 1;
        DROP INDEX object_places_agent;
        CREATE INDEX object_places_agent ON object_places (agent, object);
        """,
    )


@manager()
def speaks_of_agents(db: Database) -> None:
    """Which version of the messages agents understand, as they say."""
    script(db, "ALTER TABLE agents ADD COLUMN speaks INTEGER NOT NULL DEFAULT 1;")


@manager()
def row_counts(db: Database) -> None:
    """How many rows there are of what has a bound: to count them for each message would cost what the bound is."""
    script(
        db,
        """
        CREATE TABLE row_counts (
            what TEXT NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (what, name)
        ) WITHOUT ROWID;
        CREATE TRIGGER row_counts_none AFTER UPDATE ON row_counts WHEN new.rows = 0 BEGIN
            DELETE FROM row_counts WHERE what = new.what AND name = new.name;
        END;
        DROP INDEX workflows_unended_of_cause;
        CREATE TRIGGER workflow_of_cause_added AFTER INSERT ON workflows
        WHEN new.cause IS NOT NULL AND new.ended IS NULL BEGIN
            INSERT INTO row_counts VALUES ('unended', new.cause, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
        END;
        CREATE TRIGGER workflow_of_cause_ended AFTER UPDATE OF ended ON workflows
        WHEN new.cause IS NOT NULL AND (old.ended IS NULL) <> (new.ended IS NULL) BEGIN
            INSERT INTO row_counts VALUES ('unended', new.cause, iif(new.ended IS NULL, 1, -1))
            ON CONFLICT DO UPDATE SET rows = rows + excluded.rows;
        END;
        CREATE TRIGGER workflow_of_cause_deleted AFTER DELETE ON workflows
        WHEN old.cause IS NOT NULL AND old.ended IS NULL BEGIN
            UPDATE row_counts SET rows = rows - 1 WHERE what = 'unended' AND name = old.cause;
        END;
        INSERT INTO row_counts SELECT 'unended', cause, count(*) FROM workflows
        WHERE cause IS NOT NULL AND ended IS NULL GROUP BY cause;
        """
        + "".join(
            f"""
        CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN
            INSERT INTO row_counts VALUES ('{table}', new.{owner}, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
        END;
        CREATE TRIGGER {table}_deleted AFTER DELETE ON {table} BEGIN
            UPDATE row_counts SET rows = rows - 1 WHERE what = '{table}' AND name = old.{owner};
        END;
        INSERT INTO row_counts SELECT '{table}', {owner}, count(*) FROM {table} GROUP BY {owner};
        """
            for table, owner in (
                ("rule_runs", "rule"),
                ("rule_values", "rule"),
                ("slots", "schedule"),
                ("notifications", "target"),
            )
        ),
    )


@manager()
def open_jobs(db: Database) -> None:
    """How many open jobs there are at each agent, and (`''`) together; and how many of them wait for their data."""
    unsent, was_unsent = "(new.open AND NOT new.data_sent)", "(old.open AND NOT old.data_sent)"
    script(
        db,
        f"""
        CREATE TRIGGER job_opened AFTER INSERT ON jobs WHEN new.open BEGIN
            INSERT INTO row_counts VALUES ('open', '', 1), ('open', new.agent, 1)
            ON CONFLICT DO UPDATE SET rows = rows + 1;
        END;
        CREATE TRIGGER job_opened_unsent AFTER INSERT ON jobs WHEN {unsent} BEGIN
            INSERT INTO row_counts VALUES ('unsent', new.agent, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
        END;
        CREATE TRIGGER job_open_changed AFTER UPDATE OF open ON jobs WHEN old.open <> new.open BEGIN
            INSERT INTO row_counts VALUES
                ('open', '', new.open - old.open), ('open', new.agent, new.open - old.open)
            ON CONFLICT DO UPDATE SET rows = rows + excluded.rows;
        END;
        CREATE TRIGGER job_unsent_changed AFTER UPDATE OF open, data_sent ON jobs WHEN {unsent} <> {was_unsent} BEGIN
            INSERT INTO row_counts VALUES ('unsent', new.agent, {unsent} - {was_unsent})
            ON CONFLICT DO UPDATE SET rows = rows + excluded.rows;
        END;
        CREATE TRIGGER job_open_deleted AFTER DELETE ON jobs WHEN old.open BEGIN
            UPDATE row_counts SET rows = rows - 1 WHERE what = 'open' AND name IN ('', old.agent);
            UPDATE row_counts SET rows = rows - 1
            WHERE what = 'unsent' AND name = old.agent AND NOT old.data_sent;
        END;
        INSERT INTO row_counts SELECT 'open', agent, count(*) FROM jobs WHERE open GROUP BY agent;
        INSERT INTO row_counts SELECT 'open', '', sum(rows) FROM row_counts WHERE what = 'open' HAVING count(*) > 0;
        INSERT INTO row_counts SELECT 'unsent', agent, count(*) FROM jobs WHERE open AND NOT data_sent GROUP BY agent;
        """,
    )


@manager()
def wanted_copies(db: Database) -> None:
    """The objects that people wait for, to be fetched from agents; and of each place how large its object is."""
    script(
        db,
        """
        ALTER TABLE object_places ADD COLUMN size INTEGER;
        CREATE INDEX object_places_object ON object_places (object, workflow) WHERE held > 0;
        CREATE TABLE wanted_copies (
            object TEXT PRIMARY KEY, size INTEGER NOT NULL, asked REAL NOT NULL
        ) WITHOUT ROWID;
        """,
    )


@manager()
def takers(db: Database) -> None:
    """From which jobs others take inputs at their agent by themselves."""
    script(
        db,
        """
        ALTER TABLE jobs ADD COLUMN inputs_from TEXT;
        ALTER TABLE jobs ADD COLUMN misfed INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE takers (giver TEXT NOT NULL, taker TEXT NOT NULL, PRIMARY KEY (giver, taker)) WITHOUT ROWID;
        CREATE INDEX takers_taker ON takers (taker);
        CREATE TRIGGER job_takes_nothing AFTER DELETE ON jobs BEGIN
            DELETE FROM takers WHERE taker = old.job;
        END;
        CREATE TRIGGER job_has_ended AFTER UPDATE OF open ON jobs WHEN old.open AND NOT new.open BEGIN
            DELETE FROM takers WHERE taker = old.job;
        END;
        """,
    )


@manager()
def files_made_again(db: Database) -> None:
    """Steps that have completed may give again the files that are nowhere any more."""
    script(
        db,
        """
        ALTER TABLE steps ADD COLUMN remade INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX steps_remade ON steps (workflow) WHERE remade;
        """,
    )


@manager()
def copies_in_directories(db: Database) -> None:
    """Of the objects that people wait for, in which directory each of them is: that is where it lies."""
    script(db, "ALTER TABLE wanted_copies ADD COLUMN directory TEXT;")


@manager()
def agents_staging(db: Database) -> None:
    """What the files wait for that are to come to an agent, as it says."""
    script(db, "ALTER TABLE agents ADD COLUMN staging TEXT NOT NULL DEFAULT '';")


@manager()
def looks(db: Database) -> None:
    """The objects that this manager must look inside, for steps that wait for that."""
    script(
        db,
        """
        CREATE TABLE looks (
            workflow INTEGER NOT NULL, step INTEGER NOT NULL, object TEXT NOT NULL, size INTEGER NOT NULL,
            name TEXT NOT NULL, value TEXT NOT NULL, waits INTEGER NOT NULL, reason TEXT,
            PRIMARY KEY (workflow, step, object)
        ) WITHOUT ROWID;
        CREATE INDEX looks_wanted ON looks (object) WHERE waits;
        CREATE INDEX looks_here ON looks (object) WHERE NOT waits;
        ALTER TABLE scattered ADD COLUMN lengths TEXT;
        """,
    )


@manager()
def depots(db: Database) -> None:
    """Which agents are depots or drain, which of their places are to come (`held` is -1), and of how many places each.

    A place that is lost, or does not come, lets it be looked again whether its object has enough of them.
    """
    script(
        db,
        """
        ALTER TABLE agents ADD COLUMN depot TEXT NOT NULL DEFAULT '';
        ALTER TABLE agents ADD COLUMN drains INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX agents_draining ON agents (agent) WHERE drains;
        ALTER TABLE object_places ADD COLUMN is_directory INTEGER;
        CREATE INDEX object_places_asked ON object_places (agent) WHERE held = -1;
        CREATE TABLE wanted_places (
            workflow INTEGER NOT NULL, object TEXT NOT NULL, copies INTEGER NOT NULL, due INTEGER NOT NULL DEFAULT 1,
            lacks INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (workflow, object)
        ) WITHOUT ROWID;
        CREATE INDEX wanted_places_due ON wanted_places (workflow, object) WHERE due;
        CREATE INDEX wanted_places_lacking ON wanted_places (workflow, object) WHERE lacks > 0;
        CREATE TRIGGER place_ended AFTER UPDATE OF held ON object_places WHEN new.held = 0 AND old.held <> 0 BEGIN
            UPDATE wanted_places SET due = 1 WHERE workflow = new.workflow AND object = new.object;
        END;
        CREATE TRIGGER place_deleted AFTER DELETE ON object_places BEGIN
            UPDATE wanted_places SET due = 1 WHERE workflow = old.workflow AND object = old.object;
        END;
        CREATE TRIGGER workflow_wants_no_places AFTER DELETE ON workflows BEGIN
            DELETE FROM wanted_places WHERE workflow = old.seq;
        END;
        """,
    )


@manager()
def brought_objects(db: Database) -> None:
    """What held workflows wait for, since whoever has submitted them brings it."""
    script(
        db,
        """
        CREATE TABLE brought_objects (
            workflow INTEGER NOT NULL, object TEXT NOT NULL, size INTEGER NOT NULL, holder TEXT NOT NULL,
            ticket TEXT NOT NULL, PRIMARY KEY (workflow, object)
        ) WITHOUT ROWID;
        CREATE INDEX brought_objects_object ON brought_objects (object);
        CREATE TRIGGER workflow_brought AFTER UPDATE OF status ON workflows
        WHEN old.status = 'held' AND new.status <> 'held' BEGIN
            DELETE FROM brought_objects WHERE workflow = new.seq;
        END;
        """,
    )


@manager()
def agents_direct(db: Database) -> None:
    """Where agents give files straight to others."""
    script(db, "ALTER TABLE agents ADD COLUMN direct TEXT NOT NULL DEFAULT '';")


@manager()
def refused_places(db: Database) -> None:
    """Why an agent does not keep what it was asked to, in its words."""
    script(db, "ALTER TABLE object_places ADD COLUMN refusal TEXT;")


@manager()
def agents_hosts(db: Database) -> None:
    """Which hosts agents say that they fetch files from."""
    script(db, "ALTER TABLE agents ADD COLUMN hosts TEXT;")


@manager()
def combined_outputs(db: Database) -> None:
    """Outputs of workflows that were put together of large values; they go with the workflow."""
    script(
        db,
        """
        CREATE TABLE combined_outputs (
            workflow INTEGER NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (workflow, step, name)
        ) WITHOUT ROWID;
        CREATE TRIGGER workflow_combined AFTER DELETE ON workflows BEGIN
            DELETE FROM combined_outputs WHERE workflow = old.seq;
        END;
        """,
    )


@manager()
def brought_directories(db: Database) -> None:
    """Which of what is brought are directories."""
    script(db, "ALTER TABLE brought_objects ADD COLUMN is_directory INTEGER NOT NULL DEFAULT 0;")


@manager()
def standing_offers(db: Database) -> None:
    """Offers that stand until somebody has use for them: there may be one of each agent for each of its job types."""
    script(
        db,
        """
        ALTER TABLE offers ADD COLUMN stands INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE offers ADD COLUMN status TEXT NOT NULL DEFAULT 'received';
        CREATE INDEX offers_received ON offers (number) WHERE status = 'received';
        CREATE INDEX offers_standing ON offers (job_type, number) WHERE status = 'standing';
        CREATE INDEX offers_agent ON offers (agent, job_type);
        """,
    )


@manager()
def combined_made(db: Database) -> None:
    """Which object a manager has made, where an output that was put together is one."""
    script(db, "ALTER TABLE combined_outputs ADD COLUMN made TEXT;")


@manager()
def brought_size(db: Database) -> None:
    """How many bytes held workflows wait for in all: kept with each change, so that no trigger has to add them up."""
    script(
        db,
        """
        INSERT INTO row_counts SELECT 'brought_size', '', size
            FROM (SELECT sum(size) AS size FROM brought_objects) WHERE size > 0;
        CREATE TRIGGER brought_counted AFTER INSERT ON brought_objects WHEN new.size > 0 BEGIN
            INSERT INTO row_counts VALUES ('brought_size', '', new.size)
            ON CONFLICT DO UPDATE SET rows = rows + new.size;
        END;
        CREATE TRIGGER brought_discounted AFTER DELETE ON brought_objects BEGIN
            UPDATE row_counts SET rows = rows - old.size WHERE what = 'brought_size' AND name = '';
        END;
        """,
    )
