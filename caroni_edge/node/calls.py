"""Commands of other threads, the API's among them: each runs within a batch, and is answered when that is committed."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.storage.database import Database, StorageFailed


@dataclass(frozen=True, slots=True)
class Call:
    """A command for the node's thread: `work` runs within the next batch, in a savepoint.

    Attributes:
        work: Called with the time of the batch.
        done: Gets the result when it is committed, or the error.
        keep: After a storage error the call is run again, until it is committed.
    """

    work: Callable[[Moment], Any]
    done: "Future[Any]" = field(default_factory=Future)
    keep: bool = False


class Calls:
    """Runs calls, and has those again that are kept while the storage cannot be used."""

    def __init__(self, database: Database) -> None:
        """Begin with none."""
        self._database = database
        self._kept: list[Call] = []

    def of(self, events: Iterable[object]) -> list[Call]:
        """Return what runs in a batch of these events: what is kept, and what is new."""
        return [*self._kept, *(event for event in events if isinstance(event, Call))]

    def run(self, calls: Iterable[Call], at: Moment) -> list[tuple[Call, Any]]:
        """Let each do its work in a savepoint, and return what it gives, or its error.

        Raises:
            StorageFailed: The batch cannot be committed.
        """
        return [(call, self._run(call, at)) for call in calls]

    def _run(self, call: Call, at: Moment) -> Any:
        try:
            with self._database.savepoint():
                return call.work(at)
        except StorageFailed:
            raise
        except Exception as error:  # noqa: BLE001 - given to the caller, whoever that is
            return error

    def committed(self) -> None:
        """What was kept has been committed with the batch."""
        self._kept.clear()

    def undone(self, calls: Sequence[Call], failure: StorageFailed | None) -> None:
        """The storage failed in the batch of these calls: keep those that are to be kept, and refuse the others."""
        self._kept.clear()
        for call in calls:
            self.hold(call, failure)

    def hold(self, call: Call, failure: StorageFailed | None) -> None:
        """Keep a call while the storage cannot be used, or refuse it where somebody waits for it."""
        if call.keep:
            self._kept.append(call)
        else:
            answer(call, failure)


def answer(call: Call, result: Any) -> None:
    """Give a result, or an error, to whoever waits for it."""
    if isinstance(result, BaseException):
        call.done.set_exception(result)
    else:
        call.done.set_result(result)
