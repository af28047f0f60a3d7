"""Tables of the agent: the first of its migrations. The later ones are in `agent.py`."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from caroni_edge.storage.migrations.script import script

agent = Migrations("agent")


@agent()
def first(db: Database) -> None:
    """Jobs and how many there are of each kind; managers, their demand and the offers made for it.

    `jobs.id` is the order of arrival, `jobs.serial` that of the last change. Times in columns named `…_due` and
    `…_until` are on the monotonic clock and void after a restart; all others are Unix seconds for people. `load` is
    kept by triggers, so that no question about numbers reads the jobs.
    """
    script(
        db,
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, manager TEXT NOT NULL, job_type TEXT NOT NULL,
            workflow TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, priority INTEGER NOT NULL,
            state TEXT NOT NULL, data TEXT NOT NULL, serial INTEGER NOT NULL, begun INTEGER NOT NULL DEFAULT 0,
            killed TEXT, inputs_hash TEXT NOT NULL DEFAULT '', version TEXT, exit_code INTEGER,
            received REAL NOT NULL, started REAL, ended REAL, reason TEXT, stderr TEXT,
            inputs TEXT NOT NULL, outputs TEXT
        );
        CREATE INDEX jobs_state ON jobs (state, id);
        CREATE INDEX jobs_manager ON jobs (manager, id);
        CREATE INDEX jobs_changed ON jobs (manager, serial);
        CREATE INDEX jobs_ready ON jobs (manager, priority DESC, id) WHERE state = 'queued';
        CREATE INDEX jobs_killed ON jobs (job) WHERE killed IS NOT NULL;
        CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;

        CREATE TABLE load (
            state TEXT NOT NULL, manager TEXT NOT NULL, job_type TEXT NOT NULL, jobs INTEGER NOT NULL,
            PRIMARY KEY (state, manager, job_type)
        ) WITHOUT ROWID;
        CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
            INSERT INTO load (state, manager, job_type, jobs) VALUES (new.state, new.manager, new.job_type, 1)
            ON CONFLICT (state, manager, job_type) DO UPDATE SET jobs = jobs + 1;
        END;
        CREATE TRIGGER job_changed AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
            UPDATE load SET jobs = jobs - 1
            WHERE state = old.state AND manager = old.manager AND job_type = old.job_type;
            INSERT INTO load (state, manager, job_type, jobs) VALUES (new.state, new.manager, new.job_type, 1)
            ON CONFLICT (state, manager, job_type) DO UPDATE SET jobs = jobs + 1;
        END;
        CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
            UPDATE load SET jobs = jobs - 1
            WHERE state = old.state AND manager = old.manager AND job_type = old.job_type;
        END;

        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counters (name, value) VALUES ('serial', 0);

        CREATE TABLE managers (
            manager TEXT PRIMARY KEY, online INTEGER, ran_out INTEGER NOT NULL DEFAULT 0,
            hold_until REAL NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE demands (
            manager TEXT NOT NULL, job_type TEXT NOT NULL, serial INTEGER NOT NULL,
            ready INTEGER NOT NULL, waiting INTEGER NOT NULL, others INTEGER NOT NULL, priority INTEGER NOT NULL,
            offer_due REAL NOT NULL, heard INTEGER NOT NULL, PRIMARY KEY (manager, job_type)
        ) WITHOUT ROWID;
        CREATE TABLE offers (
            manager TEXT NOT NULL, job_type TEXT NOT NULL, offer TEXT NOT NULL, state TEXT NOT NULL,
            serial INTEGER NOT NULL, ready INTEGER NOT NULL, waiting INTEGER NOT NULL, taken INTEGER NOT NULL,
            reserves INTEGER NOT NULL, valid_until REAL NOT NULL, left_ready INTEGER NOT NULL,
            left_waiting INTEGER NOT NULL, again_due REAL NOT NULL, wait_s REAL NOT NULL,
            heard INTEGER NOT NULL,
            PRIMARY KEY (manager, job_type)
        ) WITHOUT ROWID;

        CREATE TABLE records (
            job_type TEXT PRIMARY KEY, version TEXT NOT NULL, failures INTEGER NOT NULL, probe_due REAL NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE answers (manager TEXT PRIMARY KEY, wanted TEXT NOT NULL, after TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE answer_jobs (
            manager TEXT NOT NULL, job TEXT NOT NULL, PRIMARY KEY (manager, job)
        ) WITHOUT ROWID;
        CREATE TABLE leaving (manager TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
        """,
    )


@agent()
def sizes(db: Database) -> None:
    """What the directories of ended jobs take on disk, one by one and together; until now nobody has counted it."""
    script(
        db,
        """
        ALTER TABLE jobs ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;
        INSERT INTO counters (name, value) VALUES ('disk_bytes', 0);
        CREATE TRIGGER job_measured AFTER UPDATE OF disk_bytes ON jobs WHEN old.disk_bytes <> new.disk_bytes BEGIN
            UPDATE counters SET value = value + new.disk_bytes - old.disk_bytes WHERE name = 'disk_bytes';
        END;
        CREATE TRIGGER job_freed AFTER DELETE ON jobs WHEN old.disk_bytes <> 0 BEGIN
            UPDATE counters SET value = value - old.disk_bytes WHERE name = 'disk_bytes';
        END;
        """,
    )


@agent()
def lists(db: Database) -> None:
    """An index for lists of a manager's jobs in a state: without it all its jobs were read for the few that run."""
    script(db, "CREATE INDEX jobs_manager_state ON jobs (manager, state, id);")


@agent()
def serials(db: Database) -> None:
    """Serials are below 2^53 from now on; until now a manager could move them beyond what anybody takes."""
    script(
        db,
        """
        UPDATE jobs SET serial = 0 WHERE serial >= 9007199254740992;
        UPDATE counters SET value = (SELECT coalesce(max(serial), 0) FROM jobs)
        WHERE name = 'serial' AND value >= 9007199254740992;
        """,
    )


@agent()
def finals(db: Database) -> None:
    """Whether a job that has failed would do so again with that version of its job type; nobody knew that before."""
    script(db, "ALTER TABLE jobs ADD COLUMN final INTEGER NOT NULL DEFAULT 0;")


@agent()
def seen(db: Database) -> None:
    """What pages show of the last day: slot-time by minute, what was not taken, what an ended job has used.

    Triggers bound it: slot-time to a day before and after the newest minute (a clock may jump), the others by number.
    """
    script(
        db,
        """
        CREATE TABLE slot_time (
            minute INTEGER NOT NULL, manager TEXT NOT NULL, busy_s REAL NOT NULL, PRIMARY KEY (minute, manager)
        ) WITHOUT ROWID;
        CREATE TRIGGER slot_time_added AFTER INSERT ON slot_time BEGIN
            DELETE FROM slot_time WHERE minute < new.minute - 1440 OR minute > new.minute + 1440;
        END;

        CREATE TABLE turned_away (
            id INTEGER PRIMARY KEY AUTOINCREMENT, date REAL NOT NULL, manager TEXT NOT NULL, job TEXT NOT NULL,
            job_type TEXT NOT NULL, workflow TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL
        );
        CREATE TRIGGER turned_away_added AFTER INSERT ON turned_away BEGIN
            DELETE FROM turned_away WHERE id <= new.id - 200;
        END;

        ALTER TABLE jobs ADD COLUMN cpu_s REAL;
        ALTER TABLE jobs ADD COLUMN memory_bytes INTEGER;
        """,
    )


@agent()
def versions(db: Database) -> None:
    """The versions of job types that were in force, with their texts and how many jobs have begun by them."""
    script(
        db,
        """
        CREATE TABLE versions (
            id INTEGER PRIMARY KEY AUTOINCREMENT, job_type TEXT NOT NULL, version TEXT NOT NULL, since REAL NOT NULL,
            jobs INTEGER NOT NULL, source TEXT NOT NULL, UNIQUE (job_type, version)
        );
        CREATE INDEX versions_since ON versions (job_type, since DESC, id DESC);
        CREATE TRIGGER version_added AFTER INSERT ON versions BEGIN
            DELETE FROM versions WHERE id <= new.id - 1000;
            DELETE FROM versions WHERE job_type = new.job_type AND id IN (
                SELECT id FROM versions WHERE job_type = new.job_type ORDER BY since DESC, id DESC LIMIT -1 OFFSET 20);
        END;
        """,
    )


@agent()
def never_began(db: Database) -> None:
    """An index for jobs that have ended without having begun: of each manager only so many are kept."""
    script(db, "CREATE INDEX jobs_never_began ON jobs (manager, id) WHERE ended IS NOT NULL AND NOT begun;")


@agent()
def objects(db: Database) -> None:
    """A job that is deleted needs no object any more; jobs whose outputs are collected have a state of their own."""
    script(
        db,
        """
        CREATE TRIGGER job_releases AFTER DELETE ON jobs BEGIN
            DELETE FROM object_references WHERE job = old.job;
        END;
        """,
    )


@agent()
def boxes(db: Database) -> None:
    """What each job was locked into; of one from before nobody knows."""
    script(db, "ALTER TABLE jobs ADD COLUMN box TEXT;")


@agent()
def needs(db: Database) -> None:
    """What each job holds of the host's resources while it runs."""
    script(db, "ALTER TABLE jobs ADD COLUMN holds TEXT;")
