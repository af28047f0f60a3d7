"""What the agent knows of itself: the name of its database, its count of changes, whether it is drained."""

from caroni_edge.node.store import FactRows


class AgentFactRows(FactRows):
    """Statements about the agent itself."""

    NEXT_SERIAL = "UPDATE counters SET value = value + 1 WHERE name = 'serial' RETURNING value"

    def next_serial(self) -> int:
        """Count a change, and return the count."""
        return self._only(int, self.NEXT_SERIAL)

    SERIAL = "SELECT value FROM counters WHERE name = 'serial'"

    def serial(self) -> int:
        """Return the count of changes."""
        return self._only(int, self.SERIAL)

    RAISE_SERIAL = "UPDATE counters SET value = max(value, :least) WHERE name = 'serial'"

    def raise_serial(self, least: int) -> None:
        """Let the count of changes be `least` or more."""
        self._run(self.RAISE_SERIAL, least=least)

    def drain(self) -> None:
        """Note that the agent takes no new work."""
        self.set("drained", "1")

    def undrain(self) -> None:
        """Note that the agent takes new work again."""
        self.delete("drained")

    def drained(self) -> bool:
        """Tell whether the agent takes no new work."""
        return self.get("drained") is not None
