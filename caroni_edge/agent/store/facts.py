"""What the agent knows of itself: the name of its database, its count of changes, whether it is drained."""

from caroni_edge.storage.rows import Rows


class FactRows(Rows):
    """Statements about the agent itself."""

    MAKE_DATABASE = "INSERT INTO facts (key, value) VALUES ('database', :name) ON CONFLICT (key) DO NOTHING"

    def make_database(self, name: str) -> None:
        """Give the database its name, if it has none."""
        self._run(self.MAKE_DATABASE, name=name)

    DATABASE = "SELECT value FROM facts WHERE key = 'database'"

    def database(self) -> str:
        """Return the name of the database."""
        return self._only(str, self.DATABASE)

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

    DRAIN = "INSERT INTO facts (key, value) VALUES ('drained', '1') ON CONFLICT (key) DO NOTHING"

    def drain(self) -> None:
        """Note that the agent takes no new work."""
        self._run(self.DRAIN)

    UNDRAIN = "DELETE FROM facts WHERE key = 'drained'"

    def undrain(self) -> None:
        """Note that the agent takes new work again."""
        self._run(self.UNDRAIN)

    DRAINED = "SELECT 1 FROM facts WHERE key = 'drained'"

    def drained(self) -> bool:
        """Tell whether the agent takes no new work."""
        return self._one(int, self.DRAINED) is not None
