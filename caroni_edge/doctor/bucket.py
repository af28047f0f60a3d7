"""The bucket of a depot: whether it can be used, and has what the rows say."""

import sqlite3
from collections.abc import Collection, Iterator

from caroni_edge.agent.store.bucket import AWAY, BOTH, BucketRows
from caroni_edge.config.model import BucketConfig, NodeConfig
from caroni_edge.doctor.findings import Finding, ok, warning
from caroni_edge.node.bucket import Bucket, BucketUnusable, owner_of
from caroni_edge.objects.objects import Object, ObjectId, sha256_of

NAME = "bucket"
HINT = (
    "Nothing is lost by that: what lies there alone waits. Only when the bucket is gone for good, take files.bucket "
    "out of the configuration and restart: then it counts as lost, and what can be made again is."
)
PAGE = 1000
_MB = 1_000_000


def away_of(config: NodeConfig, conn: sqlite3.Connection) -> set[ObjectId]:
    """Return what lies in the bucket alone, by the rows."""
    return set() if config.files.bucket is None else {each.id for each in _in_state(conn, AWAY)}


def check(config: NodeConfig, conn: sqlite3.Connection | None) -> Iterator[Finding]:
    """List the bucket, and compare it with the rows, if there are any; nothing is read, and nothing changed."""
    if config.files.bucket is None:
        return
    known = set() if conn is None else {*_in_state(conn, BOTH), *_in_state(conn, AWAY)}
    bucket = Bucket(config.files.bucket, owner_of(config))
    try:
        if known:
            here = set(bucket.listed())
        else:
            bucket.try_out()
            here = set()
    except BucketUnusable as problem:
        yield from of_bucket(config.files.bucket, str(problem))
        return
    yield of_objects(config.files.bucket.url, known, here)


def _in_state(conn: sqlite3.Connection, state: str) -> Iterator[Object]:
    name = ""
    try:
        while page := BucketRows(conn).in_state(state, PAGE, after=name):
            yield from (Object(sha256_of(each.object), each.size) for each in page)
            name = page[-1].object
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):  # an earlier release made the database: the next start brings it
            raise


def of_objects(url: str, known: Collection[Object], here: Collection[Object]) -> Finding:
    """Judge what is in a bucket.

    Args:
        url: Which.
        known: What rows say that is there.
        here: What is listed.
    """
    lost, more = sorted({*known} - {*here}), {*here} - {*known}
    total = f"{len(known)} large files, {sum(each.size for each in known) / _MB:,.0f} MB"
    if lost:
        said = f"{len(lost)} of {total}, are not in {url}, or have another size: {lost[0].id}"
        return warning(NAME, said, "Who needs one hears that it is gone, unless it lies on this host too.")
    if more:
        said = f"{url} has the {total}, and {len(more)} beside that no row names"
        return warning(NAME, said, "They may be on their way, or left by an earlier database; nothing deletes those.")
    return ok(NAME, f"{url} has the {total}")


def of_bucket(config: BucketConfig | None, trouble: str) -> Iterator[Finding]:
    """Judge what is said of a bucket; nothing where there is none, or no trouble."""
    if config is not None and trouble:
        yield warning(NAME, f"{config.url} cannot be used: {trouble}", HINT)
