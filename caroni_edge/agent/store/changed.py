"""Of whom something has changed in rows about managers: who keeps in memory what they say looks at those anew."""

from collections.abc import Mapping

from caroni_edge.base.memory import Journal, Memory, MemorySet


class Changed(Memory):
    """The managers whose rows have changed since they were last taken from here; it goes back with the rows."""

    def __init__(self, journal: Journal) -> None:
        """Begin with all: nobody has looked yet."""
        super().__init__(journal)
        self._managers: MemorySet[str] = MemorySet(journal)
        self._is_all = True

    def note(self, given: Mapping[str, object]) -> None:
        """Note of whom a statement with these parameters changes something; without a manager it may be of each."""
        manager = given.get("manager")
        if isinstance(manager, str):
            self._managers.add(manager)
        else:
            self._is_all = True

    def take(self) -> set[str] | None:
        """Return those of whom something has changed, and forget them; None: look at all."""
        managers = None if self._is_all else {*self._managers}
        if self._managers:
            self._managers.clear()
        self._is_all = False
        return managers
