"""What the agent's reactor asks of the runner of its jobs, and what the runner tells it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from caroni_edge.agent.boxes.strength import UNBOXED, Able, Choice
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.processes.outcome import ProcessOutcome
from caroni_edge.objects.bucket import BucketNews, BucketOrder
from caroni_edge.objects.filework import FileNews
from caroni_edge.objects.locations import LocationId, LocationNews, Sought
from caroni_edge.objects.objects import Directory, Object, ObjectId
from caroni_edge.objects.quota import Quota
from caroni_edge.objects.transfer.effects import Failure, FetchId, Held, PlacesSilent
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.messages import Values


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to start.

    Attributes:
        job: Its random name.
        job_type: What runs it.
        inputs: All of them; they fit.
        workflow: The workflow's id.
        step: The step's path.
        attempt: Its number, from 1.
        manager: Whose job it is.
        database: Name of the agent's database.
        serial: The agent's count of changes, as of this start.
        box: What it is locked into.
        slots: It waits at its keeper until fewer jobs than that run there; None: it is started at once.
        objects: The files of its inputs that are objects; they lie here, and `slots` is None.
    """

    job: str
    job_type: JobType
    inputs: Values
    workflow: str
    step: str
    attempt: int
    manager: str
    database: str = ""
    serial: int = 0
    box: Choice = UNBOXED
    slots: int | None = None
    objects: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The end of a job's process, or of the attempt to start one.

    Attributes:
        job: Its name.
        outcome: How it ended.
        date: When it ended or that was noticed, Unix seconds.
        disk_bytes: What its directory takes on disk.
        cpu_s: Processor time that its processes have used; None where it is not known.
        memory_bytes: The most memory that one of them had; None where it is not known.
        objects: What it has given that lies in the store now, and that its outputs name.
        directories: Those of them that are directories, with their files.
        damaged: The object because of which it could not be started; None for none.
    """

    job: str
    outcome: ProcessOutcome
    date: float
    disk_bytes: int = 0
    cpu_s: float | None = None
    memory_bytes: int | None = None
    objects: tuple[Object, ...] = ()
    damaged: ObjectId | None = None
    directories: tuple[Directory, ...] = ()

    @property
    def stored(self) -> tuple[Object, ...]:
        """All that it has given that lies in the store now, the files of directories too."""
        return (*self.objects, *(file for each in self.directories for file in each.files))


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job that has waited at its keeper was started, Unix seconds, and runs for a moment already."""

    job: str
    date: float


@dataclass(frozen=True, slots=True)
class JobRecalled:
    """A job that has waited at its keeper was never started, and will not be unless it is ordered anew."""

    job: str


@dataclass(frozen=True, slots=True)
class JobCollecting:
    """A job has ended well, and its files are being taken.

    Attributes:
        job: Its name.
        started: When its process was started, Unix seconds; None where that is not known.
        date: When it ended.
    """

    job: str
    started: float | None
    date: float


@dataclass(frozen=True, slots=True)
class ObjectFetched:
    """An object that was fetched lies here now, and no row says so yet; `files` are those of a directory."""

    fetch: FetchId
    object: Object
    files: tuple[Object, ...] | None = None


@dataclass(frozen=True, slots=True)
class FetchedNoDirectory:
    """What was fetched as the list of a directory is none, and why; it was not kept."""

    fetch: FetchId
    why: str


@dataclass(frozen=True, slots=True)
class PlaceRefused:
    """A place does not give an object that it was said to have, and why."""

    fetch: FetchId
    holder: Peer
    why: Failure


ObjectNews = ObjectFetched | FetchedNoDirectory | PlaceRefused | PlacesSilent | Held
FetchNews = ObjectNews | LocationNews
JobNews = JobEnded | JobStarted | JobRecalled | JobCollecting | FileNews | FetchNews | BucketNews
"""What a runner tells of jobs and their files, when it happens."""


@dataclass(frozen=True, slots=True)
class JobBegun:
    """A job that was started, though the database says that it waits; `date` is when, Unix seconds."""

    job: str
    date: float


@dataclass(frozen=True, slots=True)
class TakenOver:
    """All that was known beside the agent's database when the agent has started.

    Attributes:
        database: Name of the database that the last start order came from; empty where none has named one.
        serial: The greatest count of changes of a start order from that database.
        begun: Jobs that were started, though the database says that they wait: it is an older copy.
        ended: Jobs that have ended while there was no agent, those of `begun` too.
        boot: The present boot of the host.
    """

    database: str = ""
    serial: int = 0
    begun: tuple[JobBegun, ...] = ()
    ended: tuple[JobEnded, ...] = ()
    boot: str = ""


class JobFiles(Protocol):
    """What the reactor needs of whoever keeps the large files of jobs; all of it is done later, and in this order."""

    def take_stock(self, known: Iterable[Object]) -> None:
        """Compare what lies here with what has rows: what has none goes, and what is gone is told (`ObjectsLost`)."""

    def verify(self, objects: Iterable[Object]) -> None:
        """Look whether objects are what their names say; what is not is removed and told (`ObjectsLost`)."""

    def settled(self, job: str) -> None:
        """Note that the end of a job is committed: from now on rows keep what it has given, or nothing does."""

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Delete objects that have no rows, unless a job has just given them."""

    def bound(self, quota: Quota) -> None:
        """Take what jobs give only as far as there is room for it; what does not fit now waits, and that is told."""


class ObjectFetches(Protocol):
    """What the reactor needs of whoever fetches objects from other nodes, and files from their addresses.

    Each that comes is told by `ObjectFetched` or `LocationFetched`, again after a start of the process; each refusal by
    `PlaceRefused` or `LocationFailed`. Who does not answer is told by `PlacesSilent`, and by `Held` how much is here of
    an object that is wanted without a place.
    """

    def begin(self, wanted: Iterable[Want | Sought]) -> None:
        """Go on with what is wanted from before; called once, before the others."""

    def fetch(self, want: Want | Sought) -> None:
        """Fetch an object, or replace the places of one that is on its way; or fetch a file from its address."""

    def forget(self, fetch: FetchId | LocationId) -> None:
        """Nobody wants it any more, or rows say that it is here."""


class BucketUser(Protocol):
    """What the reactor needs of whoever uses the bucket of a depot; what comes of it is told by `BucketNews`.

    It goes on until it is done, however long the bucket cannot be used, or until the end of the process.
    """

    def do(self, order: BucketOrder) -> None:
        """Do something there, behind what was ordered before."""


class JobRunner(Protocol):
    """What the reactor needs of a runner; a simulation has one without processes.

    Every job that is started or recovered is answered by one `JobEnded` at least, in whatever thread; a repeat is
    possible. Of one that is ordered ahead of its slot (`JobOrder.slots`) that it has started is told before, unless it
    ends within a moment; or, after `recall`, that it has not.
    """

    @property
    def able(self) -> Able:
        """What jobs can be locked into on this host."""

    @property
    def files(self) -> JobFiles:
        """Who keeps the large files of jobs."""

    @property
    def fetches(self) -> ObjectFetches:
        """Who fetches them from other nodes."""

    @property
    def bucket(self) -> BucketUser:
        """Who puts them into the bucket of a depot, and brings them back."""

    def recover(
        self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str] = (), boot: str = ""
    ) -> None:
        """Take over the jobs that the database calls `running`, or says that they wait; called once, before all others.

        It is answered by one `TakenOver`. The end of each job that was started is in it, or delivered when it comes:
        what is recorded of it, or that nobody saw it. A `running` one that was never started will never be. What runs
        beside these belongs to no job: it is killed, and its end delivered.

        Args:
            running: Jobs that were ordered to be started.
            waiting: Those that have not begun, as far as is known.
            ahead: Those of them that were ordered to be started in their turn. From now on none of them will be, but
                those that were started.
            boot: The boot of the host in which all that was ordered. In another one a record may be lost, so that what
                has none may have begun: that counts as an end that nobody saw.
        """

    def start(self, order: JobOrder) -> None:
        """Start a job whose state `running` is committed. One that was started before is not started again."""

    def recall(self) -> None:
        """Start none of the jobs that wait at their keeper; what was started of them before is told, or its end."""

    def kill(self, job: str, reason: str) -> None:
        """End a job and all its processes; its end is delivered with this reason, unless it has ended before."""

    def log_size(self, job: str) -> int:
        """Return how many bytes a job's log has now."""

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """Return at most `limit` bytes of a job's log from `offset`, and whether these are its last for ever."""

    def remove(self, job: str) -> None:
        """Delete all that is on disk of a job that has ended."""
