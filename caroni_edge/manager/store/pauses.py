"""Templates that are paused, and those that were: until the last workflow that was held has begun."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class PauseRow(NamedTuple):
    """A template whose new workflows are held.

    Attributes:
        since: When it was paused.
        resumed: Those that are held begin, in their order; what comes meanwhile is held behind them.
    """

    template: str
    since: float
    resumed: bool


class PauseRows(Rows):
    """Statements about paused templates."""

    OF_TEMPLATE = f"SELECT {columns(PauseRow)} FROM pauses WHERE template = :template"

    def of_template(self, template: str) -> PauseRow | None:
        """Return the pause of a template; None where its workflows begin at once."""
        return self._one(PauseRow, self.OF_TEMPLATE, template=template)

    ALL = f"SELECT {columns(PauseRow)} FROM pauses ORDER BY template"

    def all(self) -> list[PauseRow]:
        """Return all pauses."""
        return self._all(PauseRow, self.ALL)

    PAUSE = """
        INSERT INTO pauses (template, since) VALUES (:template, :date)
        ON CONFLICT (template) DO UPDATE SET resumed = 0, since = iif(resumed, excluded.since, since)"""

    def pause(self, template: str, date: float) -> None:
        """Hold the new workflows of a template."""
        self._run(self.PAUSE, template=template, date=date)

    RESUME = "UPDATE pauses SET resumed = 1 WHERE template = :template"

    def resume(self, template: str) -> None:
        """Let those begin that are held."""
        self._run(self.RESUME, template=template)

    RESUMED = "SELECT template FROM pauses WHERE resumed LIMIT 1"

    def resumed(self) -> str | None:
        """Return a template of which workflows may still be held that are to begin."""
        return self._one(str, self.RESUMED)

    END = "DELETE FROM pauses WHERE template = :template"

    def end(self, template: str) -> None:
        """Let new workflows of a template begin at once: none is held any more."""
        self._run(self.END, template=template)
