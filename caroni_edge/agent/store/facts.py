"""What the agent knows of itself: the name of its database, its count of changes, whether it is drained or paused."""

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

    def database_for(self, manager: str) -> str:
        """Return the name of the database as this manager is to know it."""
        suffix = self.get(_database_key(manager))
        return f"{self.database()}.{suffix}" if suffix else self.database()

    def rename_database_for(self, manager: str, suffix: str) -> None:
        """Let the database have another name for this manager alone: what it knows of it counts no more."""
        self.set(_database_key(manager), suffix)

    def forget_manager(self, manager: str) -> None:
        """Let the database have no other name for a manager than for all."""
        self.delete(_database_key(manager))

    def orders_known(self) -> str:
        """Return what the keeper knew when the database got its present name; empty where that was given by itself."""
        return self.get("orders") or ""

    def know_orders(self, said: str) -> None:
        """Keep what the keeper knew when the database got its present name."""
        self.set("orders", said)

    def boot(self) -> str:
        """Return the boot of the host in which jobs were started or handed over last; empty where that is not known."""
        return self.get("boot") or ""

    def know_boot(self, boot: str) -> None:
        """Keep in which boot of the host jobs are started from now on."""
        self.set("boot", boot)

    def drain(self) -> None:
        """Note that the agent takes no new work."""
        self.set("drained", "1")

    def undrain(self) -> None:
        """Note that the agent takes new work again."""
        self.delete("drained")

    def drained(self) -> bool:
        """Tell whether the agent takes no new work."""
        return self.get("drained") is not None

    def pause(self) -> None:
        """Note that the agent starts nothing; a restart does not change that."""
        self.set("paused", "1")

    def resume(self) -> None:
        """Note that the agent starts jobs again."""
        self.delete("paused")

    def paused(self) -> bool:
        """Tell whether the agent starts nothing."""
        return self.get("paused") is not None


def _database_key(manager: str) -> str:
    return f"database for {manager}"
