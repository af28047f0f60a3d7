"""Nodes that are wrong in one way each about directories, and about lists into which managers look (`variants.py`)."""

from collections.abc import Iterator, Sequence
from unittest.mock import patch

from caroni_edge.agent.store.wanted import WaitingJob, WantedRows
from caroni_edge.base.moment import Moment
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.store.brought import BroughtRow
from caroni_edge.manager.store.looks import LookRows
from caroni_edge.manager.store.places import PlaceRows
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.triggers.brought import Brought
from caroni_edge.manager.workflows.looks import Looks
from caroni_edge.manager.workflows.madehere import MadeHere
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.store.rights import RightRows
from caroni_edge.objects.store.rows import ObjectRows
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from tests.variants import Variants, instead

INSIDE_VARIANTS = Variants()


@INSIDE_VARIANTS.add
def files_of_directories_not_given() -> Iterator[None]:
    """A holder gives what has a reference itself, and not what a directory names that has one."""
    only_itself = RightRows.SIZE.partition("OR EXISTS")[0] + ")"
    with patch.object(RightRows, "SIZE", only_itself):
        yield


@INSIDE_VARIANTS.add
def directories_whole_with_their_lists() -> Iterator[None]:
    """A directory counts as here when its list is."""
    with instead(ObjectRows, "files_lacking", lambda *_: []):
        yield


@INSIDE_VARIANTS.add
def files_of_directories_are_cache() -> Iterator[None]:
    """What only a directory names goes when nobody has used it for a while."""
    nobody_refers = "NOT EXISTS (SELECT 1 FROM object_references r WHERE r.object = objects.object)"
    with (
        patch.object(
            ObjectRows, "OLDEST_UNREFERENCED", ObjectRows.OLDEST_UNREFERENCED.replace("refs = 0", nobody_refers)
        ),
        patch.object(ObjectRows, "UNREFERENCED", ObjectRows.UNREFERENCED.replace("refs = 0", nobody_refers)),
    ):
        yield


@INSIDE_VARIANTS.add
def directories_stay_without_a_file() -> Iterator[None]:
    """A directory of which a file is lost counts as here."""
    with instead(ObjectRows, "directories_with", lambda *_: []):
        yield


@INSIDE_VARIANTS.add
def only_lists_of_directories_looked_at() -> Iterator[None]:
    """A holder that is asked to look at a directory looks at its list alone."""
    with instead(ObjectRows, "files", lambda *_: []):
        yield


@INSIDE_VARIANTS.add
def bad_files_told_without_their_directories() -> Iterator[None]:
    """A manager hears of a file that somebody does not get, and not of the directory, which is all that it knows."""
    jobs = WantedRows.jobs

    def nameless(rows: WantedRows, manager: str, name: ObjectId) -> list[WaitingJob]:
        return [each._replace(directory="") for each in jobs(rows, manager, name)]

    with instead(WantedRows, "jobs", nameless):
        yield


@INSIDE_VARIANTS.add
def looks_forgotten_at_a_start() -> Iterator[None]:
    """A manager that starts does not go on with what it was looking into."""
    with instead(Looks, "on_start", lambda *_: None):
        yield


@INSIDE_VARIANTS.add
def loss_of_what_is_looked_into_not_noticed() -> Iterator[None]:
    """A manager takes for here what it was to look into, though it is not there any more."""
    with instead(Looks, "on_lost", lambda *_: None):
        yield


@INSIDE_VARIANTS.add
def managers_keep_without_a_reference() -> Iterator[None]:
    """What a manager has here for a workflow goes when nobody has used it for a while."""

    def keep(
        holdings: Holdings,
        row: WorkflowRow,
        name: ObjectId,
        size: int | None,
        _at: Moment,
        *,
        is_directory: bool = False,
    ) -> None:
        holdings._store.places.add(row.seq, name, holdings._context.own_place, size, is_directory=is_directory)

    with instead(Holdings, "keep", keep):
        yield


@INSIDE_VARIANTS.add
def what_managers_made_not_made_again() -> Iterator[None]:
    """A manager that has lost what it has made of lists makes it no second time."""
    with instead(MadeHere, "make_again", lambda *_: False):
        yield


@INSIDE_VARIANTS.add
def outputs_that_managers_made_not_made_again() -> Iterator[None]:
    """A manager that has lost what it has made for an output makes it no second time."""
    with instead(MadeHere, "_as_output", lambda *_: None):
        yield


@INSIDE_VARIANTS.add
def workflows_end_without_what_managers_made() -> Iterator[None]:
    """A workflow ends though its manager has lost an output that it has made."""
    with instead(MadeHere, "any_again", lambda *_: False):
        yield


@INSIDE_VARIANTS.add
def managers_never_look_at_their_own() -> Iterator[None]:
    """A manager of which somebody has got other bytes goes on to give them."""
    with instead(Holdings, "_check", lambda *_: None):
        yield


@INSIDE_VARIANTS.add
def nothing_asked_of_who_seems_away() -> Iterator[None]:
    """A manager fetches what it is to look into from those alone whose presence it has heard."""

    def there(rows: LookRows, limit: int) -> list[ObjectId]:
        return rows._all(ObjectId, rows.WANTED, limit=limit, online=True)

    with instead(LookRows, "wanted", there):
        yield


@INSIDE_VARIANTS.add
def size_known_of_makers_alone() -> Iterator[None]:
    """A manager does not know how large an object is that a depot has."""
    anywhere = (
        "SELECT workflow, size FROM object_places WHERE object = :object AND held > 0 ORDER BY workflow DESC LIMIT 1"
    )
    with patch.object(PlaceRows, "ANYWHERE", anywhere):
        yield


# What those bring who submit workflows


@INSIDE_VARIANTS.add
def brought_directories_begin_with_their_lists() -> Iterator[None]:
    """A workflow begins when the list of a directory has been brought, and its files have not."""

    def take(brought: Brought, row: BroughtRow, files: Sequence[Object]) -> None:
        brought._store.objects.put_directory(row.object, files)

    with instead(Brought, "_take_directory", take):
        yield


@INSIDE_VARIANTS.add
def brought_directories_fetched_as_files() -> Iterator[None]:
    """A manager fetches a directory that is brought as it would fetch a file."""
    wanted = Brought._wanted

    def as_files(brought: Brought) -> dict[FetchId, Want]:
        return {fetch: want._replace(is_directory=False) for fetch, want in wanted(brought).items()}

    with instead(Brought, "_wanted", as_files):
        yield


@INSIDE_VARIANTS.add
def brought_forgotten_at_a_start() -> Iterator[None]:
    """A manager that starts fetches no more of what is brought to it."""
    with instead(Brought, "on_start", lambda *_: None):
        yield
