"""The demand for each job type: what was said last, and since when nobody serves it."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class LastSaid(NamedTuple):
    """What was said last of a job type.

    Attributes:
        serial: How often its demand has changed.
        said: The content: empty for no demand, None when it is out of date.
    """

    serial: int
    said: bytes | None


class DemandRows(Rows):
    """Statements about demand. The table has a row for each job type ever met: a few, so it needs no index."""

    KNOW = "INSERT INTO demands (job_type) VALUES (:job_type) ON CONFLICT DO NOTHING"

    def know(self, job_type: str) -> None:
        """Make sure that a job type has a row."""
        self._run(self.KNOW, job_type=job_type)

    ALL = "SELECT job_type FROM demands ORDER BY job_type"

    def all(self) -> list[str]:
        """Return all job types that any step ever had."""
        return self._all(str, self.ALL)

    GET = "SELECT serial, said FROM demands WHERE job_type = :job_type"

    def get(self, job_type: str) -> LastSaid:
        """Return what was said last."""
        return self._one(LastSaid, self.GET, job_type=job_type) or LastSaid(0, b"")

    SAY = "UPDATE demands SET serial = :serial, said = :said WHERE job_type = :job_type"

    def say(self, job_type: str, serial: int, said: bytes) -> None:
        """Note what is said."""
        self.know(job_type)
        self._run(self.SAY, job_type=job_type, serial=serial, said=said)

    RENEW = "UPDATE demands SET said = NULL WHERE job_type = :job_type AND said IS NOT x''"

    def renew(self, job_type: str) -> bool:
        """Let a demand that stands count as another one, though as many steps are unplaced; return whether one does."""
        return self._run(self.RENEW, job_type=job_type) > 0

    # Since when nobody serves it

    SET_UNSERVED = """
        INSERT INTO demands (job_type, unserved_since) VALUES (:job_type, :now)
        ON CONFLICT (job_type) DO UPDATE SET unserved_since = coalesce(unserved_since, excluded.unserved_since)"""

    def set_unserved(self, job_type: str, now: float) -> None:
        """Note that nobody serves the type from now on, or from earlier."""
        self._run(self.SET_UNSERVED, job_type=job_type, now=now)

    SET_SERVED = "UPDATE demands SET unserved_since = NULL WHERE job_type = :job_type AND unserved_since IS NOT NULL"

    def set_served(self, job_type: str) -> bool:
        """Note that somebody serves the type; return whether that is new."""
        return self._run(self.SET_SERVED, job_type=job_type) > 0

    UNSERVED = "SELECT job_type FROM demands WHERE unserved_since + :for_s <= :now ORDER BY job_type"

    def unserved(self, for_s: float, now: float) -> list[str]:
        """Return the types that nobody has served for so long or longer."""
        return self._all(str, self.UNSERVED, for_s=for_s, now=now)

    NEXT_UNSERVED = "SELECT min(unserved_since + :for_s) FROM demands WHERE unserved_since + :for_s > :now"

    def next_unserved(self, for_s: float, now: float) -> float | None:
        """Return when this will be true of the next type."""
        return self._one(float, self.NEXT_UNSERVED, for_s=for_s, now=now)

    BEGIN_ANEW = "UPDATE demands SET unserved_since = :now WHERE unserved_since IS NOT NULL"

    def begin_anew(self, now: float) -> None:
        """Count from now on for how long types are not served: a process has started, and its clock is another."""
        self._run(self.BEGIN_ANEW, now=now)
