"""Tables of the manager: the migrations behind the first ones, until it knew large files."""

from sqlite_utils import Database

from caroni_edge.storage.migrations.manager_first import manager
from caroni_edge.storage.migrations.script import script

__all__ = ["manager"]


@manager()
def rules(db: Database) -> None:
    """Workflows that something started by itself (`cause` names it), and what rules know of the messages they took."""
    script(
        db,
        """
        ALTER TABLE workflows ADD COLUMN cause TEXT;
        CREATE INDEX workflows_unended_of_cause ON workflows (cause) WHERE cause IS NOT NULL AND ended IS NULL;
        CREATE TABLE rule_counts (
            rule TEXT NOT NULL, what TEXT NOT NULL, times INTEGER NOT NULL, date REAL NOT NULL, said TEXT NOT NULL,
            PRIMARY KEY (rule, what)
        ) WITHOUT ROWID;
        CREATE TABLE rule_runs (
            rule TEXT NOT NULL, key TEXT NOT NULL, dates TEXT NOT NULL, last REAL NOT NULL, PRIMARY KEY (rule, key)
        ) WITHOUT ROWID;
        CREATE INDEX rule_runs_last ON rule_runs (rule, last);
        CREATE TABLE rule_values (
            rule TEXT NOT NULL, topic TEXT NOT NULL, hash TEXT NOT NULL, date REAL NOT NULL, PRIMARY KEY (rule, topic)
        ) WITHOUT ROWID;
        CREATE INDEX rule_values_date ON rule_values (rule, date);
        CREATE TABLE rule_filters (filter TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
        """,
    )


@manager()
def boxes(db: Database) -> None:
    """What each attempt was locked into, as its agent says; older ones do not say it."""
    script(db, "ALTER TABLE jobs ADD COLUMN box TEXT;")


@manager()
def evaluations(db: Database) -> None:
    """Steps whose expressions are worked out outside of the loop, with what came of it while they wait at a gate."""
    script(
        db,
        """
        CREATE TABLE evaluations (
            workflow INTEGER NOT NULL, step INTEGER NOT NULL, evaluated TEXT, PRIMARY KEY (workflow, step)
        ) WITHOUT ROWID;
        CREATE INDEX evaluations_due ON evaluations (workflow, step) WHERE evaluated IS NULL;
        """,
    )


@manager()
def labels(db: Database) -> None:
    """What workflows are about, as their triggers say: JSON, and by label."""
    script(
        db,
        """
        ALTER TABLE workflows ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
        CREATE TABLE workflow_labels (
            label TEXT NOT NULL, workflow INTEGER NOT NULL, PRIMARY KEY (label, workflow)
        ) WITHOUT ROWID;
        CREATE INDEX workflow_labels_workflow ON workflow_labels (workflow);
        """,
    )


@manager()
def schedules(db: Database) -> None:
    """How far schedules have come, and which slots have started a workflow or wait to."""
    script(
        db,
        """
        CREATE TABLE schedules (
            schedule TEXT PRIMARY KEY, timing TEXT NOT NULL, seen REAL NOT NULL, missed INTEGER NOT NULL DEFAULT 0,
            missed_slot INTEGER, missed_why TEXT
        ) WITHOUT ROWID;
        CREATE TABLE slots (
            schedule TEXT NOT NULL, slot INTEGER NOT NULL, waiting INTEGER NOT NULL, PRIMARY KEY (schedule, slot)
        ) WITHOUT ROWID;
        CREATE INDEX slots_waiting ON slots (schedule, slot) WHERE waiting;
        """,
    )
