"""What a batch has decided about processes, and what is done only when the batch is committed."""

from collections.abc import Iterable

from caroni_edge.agent.processes.port import JobOrder, JobRunner
from caroni_edge.base.memory import Journal, MemoryDict, MemorySet
from caroni_edge.node.parts import Part
from caroni_edge.objects.bucket import BucketOrder
from caroni_edge.objects.locations import LocationId, Sought
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.quota import Quota
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want


class Deeds(Part):
    """Orders for the runner: each is given once, when the rows that say why are committed, or goes back with them."""

    def __init__(self, runner: JobRunner, journal: Journal) -> None:
        """Begin with no orders."""
        super().__init__(journal)
        self._runner = runner
        self._recover: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str] | None = None
        self._is_recall = False
        self._starts: tuple[JobOrder, ...] = ()
        self._kills: MemoryDict[str, str] = MemoryDict(journal)
        self._killed: MemorySet[str] = MemorySet(journal)  # those whose kill the runner was told
        self._removals: tuple[str, ...] = ()
        self._stock: tuple[Object, ...] | None = None
        self._settled: tuple[str, ...] = ()
        self._checks: tuple[Object, ...] = ()
        self._discards: tuple[ObjectId, ...] = ()
        self._quota: Quota | None = None
        self._resumed: tuple[Want | Sought, ...] | None = None
        self._fetches: tuple[Want | Sought | FetchId | LocationId, ...] = ()
        self._bucket: tuple[BucketOrder, ...] = ()

    def recover(self, running: Iterable[str], waiting: Iterable[str], ahead: Iterable[str], boot: str) -> None:
        """Order to take over the jobs that run or wait, as the database says, at a start of the process."""
        self._recover = tuple(running), tuple(waiting), tuple(ahead), boot

    def start(self, order: JobOrder) -> None:
        """Order to start a job, which is `running` in the database."""
        self._starts = (*self._starts, order)

    def recall(self) -> None:
        """Order that nothing is started that waits at its keeper."""
        self._is_recall = True

    def kill(self, job: str, reason: str) -> None:
        """Order to end a job that runs, unless the runner was told before."""
        if job not in self._killed:
            self._kills[job] = reason

    def has_ended(self, job: str) -> None:
        """Note that nothing of a job runs any more."""
        self._killed.discard(job)

    def remove(self, jobs: Iterable[str]) -> None:
        """Order to delete what is on disk of jobs that have ended."""
        self._removals = (*self._removals, *jobs)

    def take_stock(self, known: Iterable[Object]) -> None:
        """Order to compare the objects that have rows with what lies on disk."""
        self._stock = tuple(known)

    def verify(self, objects: Iterable[Object]) -> None:
        """Order to look whether objects are what their names say."""
        self._checks = (*self._checks, *objects)

    def settle_objects(self, job: str) -> None:
        """Order that rows keep what a job has given from now on."""
        self._settled = (*self._settled, job)

    def discard(self, objects: Iterable[ObjectId]) -> None:
        """Order to delete objects that have no rows."""
        self._discards = (*self._discards, *objects)

    def bound(self, quota: Quota) -> None:
        """Order that jobs give no more files than there is room for."""
        self._quota = quota

    def begin_fetches(self, wanted: Iterable[Want | Sought]) -> None:
        """Order to go on with what is to be fetched, at a start of the process."""
        self._resumed = (*(self._resumed or ()), *wanted)

    def fetch(self, want: Want | Sought) -> None:
        """Order to fetch an object, or to do so from other places, or a file from its address."""
        self._fetches = (*self._fetches, want)

    def forget_fetch(self, fetch: FetchId | LocationId) -> None:
        """Order to fetch an object no more: rows say that it is here, or nobody wants it."""
        self._fetches = (*self._fetches, fetch)

    def in_bucket(self, *orders: BucketOrder) -> None:
        """Order something to be done in the bucket."""
        self._bucket = (*self._bucket, *orders)

    def committed(self) -> None:
        """Give the orders: take over first, and start before killing, since a job may be both started and killed."""
        if self._stock is not None:
            self._runner.files.take_stock(self._stock)
        if self._recover is not None:
            self._runner.recover(*self._recover)
        for order in self._starts:
            self._runner.start(order)
        if self._is_recall:
            self._runner.recall()
        for job, reason in self._kills.items():
            self._runner.kill(job, reason)
        for job in self._removals:
            self._runner.remove(job)
        if self._quota is not None:
            self._runner.files.bound(self._quota)
            self._quota = None
        for job in self._settled:
            self._runner.files.settled(job)
        for each in self._bucket:
            self._runner.bucket.do(each)
        self._bucket = ()
        self._order_fetches()
        if self._checks:
            self._runner.files.verify(self._checks)
        if self._discards:
            self._runner.files.discard(self._discards)
        self._checks = ()
        self._stock, self._settled, self._discards, self._resumed, self._fetches = None, (), (), None, ()
        self._killed.update(self._kills)
        self._recover, self._is_recall, self._starts, self._removals = None, False, (), ()
        self._kills.clear()

    def _order_fetches(self) -> None:
        fetches = self._runner.fetches
        if self._resumed is not None:
            fetches.begin(self._resumed)
        for each in self._fetches:
            if isinstance(each, Want | Sought):
                fetches.fetch(each)
            else:
                fetches.forget(each)
