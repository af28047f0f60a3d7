"""Nodes that are wrong in one way each about large files (see `variants.py`).

What is wrong in their transfer alone is in `tests/objects/variants.py`; those that show in a whole federation are taken
from there.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from caroni_edge.agent.jobs import objects
from caroni_edge.agent.jobs.aside import Aside
from caroni_edge.agent.jobs.bucket import InBucket
from caroni_edge.agent.jobs.depot import Depot
from caroni_edge.agent.jobs.fetching import Fetching
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.store.bucket import BucketRows
from caroni_edge.base.moment import Moment
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.peers.depots import Depots
from caroni_edge.manager.store.agents import AgentRows
from caroni_edge.manager.store.places import PlaceRows
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.workflows.drops import Drops
from caroni_edge.manager.workflows.remaking import Remaking
from caroni_edge.objects.store.rights import RightRows
from caroni_edge.objects.store.rows import ObjectRows
from caroni_edge.objects.transfer.fetch import Fetch
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep
from tests.objects.variants import VARIANTS as OBJECT_VARIANTS
from tests.simulation.web import LocatedFetches
from tests.variants import Variants, instead

FILE_VARIANTS = Variants({name: OBJECT_VARIANTS[name] for name in ("hash_not_compared", "ticket_not_compared")})


@FILE_VARIANTS.add
def given_without_a_reference() -> Iterator[None]:
    """A ticket for one workflow opens all that lies at a holder."""
    size = "SELECT size FROM objects WHERE object = :object AND :manager <> :workflow"
    with patch.object(RightRows, "SIZE", size):
        yield


@FILE_VARIANTS.add
def hash_is_a_right() -> Iterator[None]:
    """What lies at an agent is there for the jobs of all managers."""
    of = "SELECT object, size FROM objects WHERE object = :object AND :manager <> ''"
    with patch.object(ObjectRows, "OF", of):
        yield


@FILE_VARIANTS.add
def needed_files_are_collected() -> Iterator[None]:
    """What is in the store goes after a while, whether somebody needs it or not."""
    with (
        patch.object(objects, "CACHE_S", 5.0),
        patch.object(ObjectRows, "OLDEST_UNREFERENCED", "SELECT used FROM objects ORDER BY used LIMIT 1"),
        patch.object(ObjectRows, "UNREFERENCED", ObjectRows.UNREFERENCED.replace("refs = 0 AND", "")),
    ):
        yield


@FILE_VARIANTS.add
def outputs_go_with_the_rest() -> Iterator[None]:
    """When a workflow has completed agents are told to keep nothing of it."""
    on_end = Drops.on_end
    with instead(Drops, "on_end", lambda drops, row, _outputs, **facts: on_end(drops, row, {}, **facts)):
        yield


@FILE_VARIANTS.add
def staging_holds_a_slot() -> Iterator[None]:
    """A job that waits for its files has a slot meanwhile."""
    give_to = Slots._give_to

    def fewer(slots: Slots, queued: Any, running: Any, left: Any, at: Moment) -> None:
        (staging,) = slots._store.jobs._conn.execute("SELECT count(*) FROM jobs WHERE state = 'staging'").fetchone()
        give_to(slots, queued, running + Counter({"staging": staging}), left, at)

    with instead(Slots, "_give_to", fewer):
        yield


@FILE_VARIANTS.add
def wanted_files_forgotten_at_a_start() -> Iterator[None]:
    """An agent that starts does not go on with what it was fetching."""

    def begin(fetching: Fetching, at: Moment) -> None:
        fetching._seen = fetching._store.wanted.changes()
        fetching._deeds.begin_fetches(())

    with instead(Fetching, "on_start", begin):
        yield


@FILE_VARIANTS.add
def key_said_only_once() -> Iterator[None]:
    """A holder that does not take a ticket does not hear the key of it again."""
    with instead(JobFiles, "on_bad", lambda *_: None):
        yield


@FILE_VARIANTS.add
def begun_anew_after_each_cut() -> Iterator[None]:
    """What has come of a file is fetched again after a cut."""
    end_stream = Fetch.end_stream

    def forgetful(fetch: Fetch) -> None:
        end_stream(fetch)
        fetch.safe_blocks = b""
        fetch._start_over()

    with instead(Fetch, "end_stream", forgetful):
        yield


@FILE_VARIANTS.add
def lost_place_kept() -> Iterator[None]:
    """A manager goes on counting on a file of which its agent says that it is gone."""
    with instead(PlaceRows, "strike", lambda *_: []):
        yield


@FILE_VARIANTS.add
def holder_never_looks() -> Iterator[None]:
    """An agent of which somebody has got other bytes is not asked to look at its own."""
    with instead(JobObjects, "on_check", lambda *_: None):
        yield


@FILE_VARIANTS.add
def files_given_again_count_twice() -> Iterator[None]:
    """A step that gives its files again completes like any other."""

    def complete(remaking: Remaking, row: Any, step: StepRow, job: Any, outputs: Any, at: Moment) -> None:
        remaking._engine.complete_step(row, step, job, outputs, at, frozenset())

    with instead(Remaking, "on_completed", complete):
        yield


@FILE_VARIANTS.add
def held_is_said_before_it_has_come() -> Iterator[None]:
    """A depot says that it holds what it has promised."""
    on_keep = Depot.on_keep

    def hasty(depot: Depot, manager: str, message: ObjectsKeep, at: Moment) -> None:
        on_keep(depot, manager, message, at)
        names = tuple(each.object for each in message.objects)
        depot._outbox.put(manager, ObjectsHeld(workflow=message.workflow, objects=names))

    with instead(Depot, "on_keep", hasty):
        yield


@FILE_VARIANTS.add
def held_without_a_reference() -> Iterator[None]:
    """What a depot holds goes when nobody has used it for a while."""
    with (
        patch.object(objects, "CACHE_S", 5.0),
        instead(Depot, "_keep", lambda *_: True),
    ):
        yield


@FILE_VARIANTS.add
def depots_hear_of_no_end() -> Iterator[None]:
    """Who has had no job of a workflow does not hear that it needs its files no more."""
    with patch.object(PlaceRows, "TELL_AT_THE_END", "SELECT 1 WHERE :agent = :workflow"):
        yield


@FILE_VARIANTS.add
def depots_by_their_own_word() -> Iterator[None]:
    """Whoever says to be a depot is asked to keep files."""
    names = "SELECT value FROM json_each(:names) UNION SELECT agent FROM agents"
    every = f"SELECT agent, online, depot, speaks, drains FROM agents WHERE agent IN ({names})"
    with patch.object(AgentRows, "DEPOTS", every):
        yield


@FILE_VARIANTS.add
def promises_forgotten_at_a_start() -> Iterator[None]:
    """A depot that starts again knows nothing of what it has promised."""
    on_start = Fetching.on_start

    def forgetful(fetching: Fetching, at: Moment) -> None:
        fetching._store.keeps._conn.execute("DELETE FROM keeps")
        on_start(fetching, at)

    with instead(Fetching, "on_start", forgetful):
        yield


@FILE_VARIANTS.add
def depots_not_asked_again() -> Iterator[None]:
    """A manager takes for asked what a depot has forgotten that it was asked."""
    with instead(PlaceRows, "unask", lambda *_: None):
        yield


@FILE_VARIANTS.add
def drained_hosts_keep_their_files() -> Iterator[None]:
    """Nobody fetches what lies only at an agent that drains."""
    with instead(Depots, "_on_presence", lambda *_: None):
        yield


@FILE_VARIANTS.add
def held_before_it_is_in_the_bucket() -> Iterator[None]:
    """A depot with a bucket says that it holds what lies on its disk alone."""
    with instead(BucketRows, "not_there", lambda *_: []):
        yield


@FILE_VARIANTS.add
def lost_here_is_lost_in_the_bucket() -> Iterator[None]:
    """A depot that has lost its disk does not look into its bucket."""
    with instead(JobObjects, "_is_in_bucket", lambda *_: False):
        yield


@FILE_VARIANTS.add
def never_brought_back() -> Iterator[None]:
    """What lies in the bucket alone stays there, whoever needs it."""
    with instead(InBucket, "_bring_back", lambda *_: None):
        yield


@FILE_VARIANTS.add
def checksum_not_compared() -> Iterator[None]:
    """What comes from an address is taken for what it should be."""
    with instead(LocatedFetches, "is_right", lambda *_: True):
        yield


@FILE_VARIANTS.add
def fetched_from_anywhere() -> Iterator[None]:
    """An agent fetches from hosts that its owner does not list, where a manager asks for that."""
    with instead(Locations, "why_not", lambda *_: None), instead(JobFiles, "may_go", lambda *_: True):
        yield


@FILE_VARIANTS.add
def placed_where_the_host_is_not_listed() -> Iterator[None]:
    """A manager does not look whether an agent may fetch from where a file lies."""
    with instead(JobFiles, "may_go", lambda *_: True):
        yield


@FILE_VARIANTS.add
def waiting_for_addresses_forgotten_at_a_start() -> Iterator[None]:
    """An agent that starts does not go on with what it was fetching from addresses."""

    def begin(locations: Locations, at: Moment) -> None:
        locations._seen = locations._store.wanted.changes()

    with instead(Locations, "on_start", begin):
        yield


@FILE_VARIANTS.add
def room_kept_for_who_is_silent() -> Iterator[None]:
    """Room stays with files that nobody gives, though others wait for it."""
    with instead(Aside, "in_vain", lambda *_: []):
        yield


@FILE_VARIANTS.add
def jobs_that_have_ended_keep_their_files() -> Iterator[None]:
    """What a job has taken is kept for it when it has ended."""
    on_start = JobObjects.on_start

    def begin(job_objects: JobObjects, at: Moment) -> None:
        job_objects._store.objects._conn.execute("DROP TRIGGER IF EXISTS acknowledged_end_releases")
        on_start(job_objects, at)

    with instead(JobObjects, "on_start", begin):
        yield
