"""The streams of an asker: which objects come now, from where, and of which some pieces are still to be asked for."""

from caroni_edge.base.moment import Chance
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Fetch, Stream
from caroni_edge.objects.transfer.places import Health, Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import LAST_OFFSET


class Streams:
    """The objects that have a stream, by its number; those of which something is to be asked for, by manager."""

    def __init__(self, chance: Chance) -> None:
        """Begin without any.

        Args:
            chance: Where the numbers come from.
        """
        self._chance = chance
        self._fetches: dict[int, Fetch] = {}
        self._asking: dict[str, dict[FetchId, Fetch]] = {}

    def find(self, number: int) -> Fetch | None:
        """Return the object whose stream has a number."""
        return self._fetches.get(number)

    def all(self) -> list[tuple[Fetch, Stream]]:
        """Return the objects that come, each with its stream."""
        return [(fetch, fetch.stream) for fetch in self._fetches.values() if fetch.stream is not None]

    def of_holder(self, holder: Peer) -> list[Fetch]:
        """Return the objects that come from one holder."""
        return [fetch for fetch, stream in self.all() if stream.place.holder == holder]

    def holders(self) -> set[Peer]:
        """Return who is being asked."""
        return {stream.place.holder for _, stream in self.all()}

    def begin(self, fetch: Fetch, place: Place, health: Health) -> None:
        """Let an object come from a place."""
        number = self._new_number()
        fetch.begin(number, place, health)
        self._fetches[number] = fetch
        self.ask_for(fetch)

    def follow_list(self, fetch: Fetch) -> None:
        """The block list of an object has come: let its bytes follow, by another stream."""
        assert fetch.stream is not None
        del self._fetches[fetch.stream.number]
        number = self._new_number()
        fetch.follow_list(number)
        self._fetches[number] = fetch
        self.ask_for(fetch)

    def end(self, fetch: Fetch) -> None:
        """An object does not come any more, if it did."""
        if fetch.stream is not None:
            del self._fetches[fetch.stream.number]
        fetch.end_stream()
        self.asked_for(fetch)

    def ask_for(self, fetch: Fetch) -> None:
        """Some pieces of an object are to be asked for."""
        self._asking.setdefault(fetch.want.manager, {})[fetch.want.id] = fetch

    def asked_for(self, fetch: Fetch) -> None:
        """All pieces of an object that are missing are on their way, or it does not come."""
        asking = self._asking.get(fetch.want.manager, {})
        asking.pop(fetch.want.id, None)
        if not asking:
            self._asking.pop(fetch.want.manager, None)

    def asking(self, manager: str) -> list[Fetch]:
        """Return the objects of a manager of which pieces are to be asked for."""
        return list(self._asking.get(manager, {}).values())

    def managers(self) -> list[str]:
        """Return the managers that have such objects."""
        return list(self._asking)

    def flying(self) -> int:
        """Return how many pieces are on their way."""
        return sum(stream.flying for _, stream in self.all())

    def flying_bytes(self) -> dict[str, int]:
        """Return how many bytes are on their way for each manager."""
        flying: dict[str, int] = {}
        for fetch, stream in self.all():
            flying[fetch.want.manager] = flying.get(fetch.want.manager, 0) + stream.flying_bytes
        return flying

    def _new_number(self) -> int:
        while True:
            number = 1 + int(self._chance.random() * LAST_OFFSET)
            if number not in self._fetches:
                return number
