"""The rows of objects: whose they are, who needs them, and what goes when nobody does."""

import re

import pytest

from caroni_edge.objects.objects import Object
from caroni_edge.objects.store.rights import RightRows
from caroni_edge.objects.store.rows import ObjectRows, StoredObject
from caroni_edge.storage.database import Database, memory_database
from tests.statements import statements

A, B = Object("a" * 64, 10), Object("b" * 64, 20)
STATEMENTS = statements("objects.store")


@pytest.fixture
def database() -> Database:
    return memory_database("agents")


@pytest.fixture
def rows(database: Database) -> ObjectRows:
    return ObjectRows(database.conn)


def test_bytes_are_those_of_the_managers_that_have_a_row(rows: ObjectRows) -> None:
    rows.add(A, manager="m1", date=1)
    assert rows.of("m1", A.id) == StoredObject(A.id, 10)
    assert rows.of("m2", A.id) is None
    assert rows.is_here(A.id)
    rows.add(A, manager="m2", date=2)
    assert rows.of("m2", A.id) == StoredObject(A.id, 10)
    assert rows.total() == (1, 10)


def test_nothing_goes_that_somebody_needs(rows: ObjectRows) -> None:
    for each in (A, B):
        rows.add(each, manager="m1", date=1)
    rows.refer(A.id, manager="m1", workflow="w1", job="j1", date=1)
    assert rows.unreferenced(10, 5) == [B.id]
    rows.refer(A.id, manager="m1", workflow="w1", job="j1", date=1)
    rows.forget("m1")
    assert rows.unreferenced(10, 5) == [A.id, B.id]
    assert rows.of("m1", A.id) is None


def test_the_oldest_go_first_and_what_was_used_lately_stays(rows: ObjectRows) -> None:
    rows.add(B, manager="m1", date=1)
    rows.add(A, manager="m1", date=2)
    assert rows.unreferenced(10, 5) == [B.id, A.id]
    assert rows.unreferenced(10, 1) == [B.id]
    assert rows.oldest_unreferenced() == 1
    rows.add(B, manager="m2", date=9)
    assert rows.unreferenced(5, 5) == [A.id]


def test_an_object_that_goes_is_nobodys(rows: ObjectRows) -> None:
    rows.add(A, manager="m1", date=1)
    rows.delete([A.id])
    assert not rows.is_here(A.id)
    rows.add(A, manager="m2", date=2)
    assert rows.of("m1", A.id) is None


def test_a_job_that_is_deleted_needs_nothing_any_more(rows: ObjectRows, database: Database) -> None:
    rows.add(A, manager="m1", date=1)
    for job in ("j1", "j2"):
        rows.refer(A.id, manager="m1", workflow="w1", job=job, date=1)
        database.conn.execute(
            """INSERT INTO jobs (job, manager, job_type, workflow, step, attempt, priority, state, data, serial,
                inputs_hash, received, inputs)
            VALUES (?, 'm1', 't', 'w1', 's', 1, 4, 'completed', 'delivered', 1, '', 0, '{}')""",
            (job,),
        )
    database.conn.execute("DELETE FROM jobs WHERE job = 'j1'")
    assert rows.unreferenced(10, 5) == []
    database.conn.execute("DELETE FROM jobs WHERE job = 'j2'")
    assert rows.unreferenced(10, 5) == [A.id]


def test_all_are_listed_in_parts(rows: ObjectRows) -> None:
    for each in (B, A):
        rows.add(each, manager="m1", date=1)
    assert rows.after("", 1) == [StoredObject(A.id, 10)]
    assert rows.after(A.id, 5) == [StoredObject(B.id, 20)]


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name != "ObjectRows.TOTAL"])
def test_no_statement_reads_all_objects(name: str, database: Database) -> None:
    steps = STATEMENTS[name].plan(database.conn)
    scans = [step for step in steps if re.match(r"SCAN (objects|object_owners|object_references|o|w)\b", step)]
    assert not [step for step in scans if "objects_unreferenced" not in step], steps


# Directories

LISTING = Object("d" * 64, 100)


def test_what_a_directory_names_is_kept_with_it_and_goes_with_it(rows: ObjectRows) -> None:
    rows.add(A, manager="m1", date=1)  # before the directory that names it, and the other one behind it
    rows.add(LISTING, manager="m1", date=1)
    rows.put_directory(LISTING.id, [A, B])
    rows.add(B, manager="m1", date=1)
    rows.refer(LISTING.id, manager="m1", workflow="w1", job="", date=1)
    assert rows.unreferenced(10, 5) == []
    assert rows.is_directory(LISTING.id)
    assert not rows.is_directory(A.id)
    assert rows.kept("m1", ("", ""), 5) == [("w1", LISTING.id, 100)]
    rows.drop("m1", "w1", after="", upto="", but=[])
    assert rows.unreferenced(10, 5) == [LISTING.id]
    rows.delete([LISTING.id])
    assert rows.unreferenced(10, 5) == [A.id, B.id]


def test_a_file_that_is_lost_and_comes_back_is_kept_for_its_directory_again(rows: ObjectRows) -> None:
    for each in (A, LISTING):
        rows.add(each, manager="m1", date=1)
    rows.put_directory(LISTING.id, [A])
    rows.put_directory(LISTING.id, [A])  # again, by another job
    rows.delete([A.id])
    rows.add(A, manager="m1", date=1)
    rows.refer(LISTING.id, manager="m1", workflow="w1", job="", date=1)
    assert rows.unreferenced(10, 5) == []
    rows.delete([LISTING.id])
    assert rows.unreferenced(10, 5) == [A.id]


def test_what_of_a_directory_is_not_here_or_somebody_elses_is_lacking(rows: ObjectRows) -> None:
    rows.add(LISTING, manager="m1", date=1)
    rows.put_directory(LISTING.id, [A, B])
    rows.add(A, manager="m2", date=1)
    rows.add(B, manager="m1", date=1)
    assert rows.files_lacking("m1", LISTING.id) == [StoredObject(A.id, 10)]
    assert rows.directories_with(A.id) == [LISTING.id]


def test_a_workflow_may_read_what_its_directories_name_and_nothing_of_others(
    rows: ObjectRows, database: Database
) -> None:
    rights = RightRows(database.conn)
    for each in (A, LISTING):
        rows.add(each, manager="m1", date=1)
    rows.add(B, manager="m2", date=1)
    rows.put_directory(LISTING.id, [A, B])
    assert rights.size("m1", "w1", A.id) is None
    rows.refer(LISTING.id, manager="m1", workflow="w1", job="", date=1)
    assert rights.size("m1", "w1", A.id) == 10
    assert rights.size("m1", "w2", A.id) is None
    assert rights.size("m1", "w1", B.id) is None
    assert rights.size("m2", "w1", B.id) is None
