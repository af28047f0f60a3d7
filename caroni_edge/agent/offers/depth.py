"""How many jobs are kept here beside those that run: twice the slots, and more of a type whose jobs are short.

A slot that has to ask for its next job idles for a commit and a way there and back. So about a second of work is kept
(`AHEAD_S`), and no more than that: what waits here runs nowhere else, and a manager, a priority or an agent that comes
later would wait as long. The owner may fix the numbers (`backlog`, `pending`).
"""

from caroni_edge.agent.context import Context
from caroni_edge.agent.offers.shares import Shares
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

AHEAD_S = 1.0
"""So much work is kept for each slot."""
SHORTEST_S = 0.001
"""No job is shorter: its process has to start."""


class Depth(Part):
    """Follows how long jobs take, by doubling and halving: what the presence says changes seldom."""

    def __init__(self, context: Context, shares: Shares) -> None:
        """Begin with twice the slots: nobody knows yet how long jobs take."""
        super().__init__(context.journal)
        self._in_force, self._shares = context.in_force, shares
        self._doublings: MemoryDict[str, int] = MemoryDict(context.journal)

    def more(self) -> dict[str, int]:
        """Return how many jobs of a type are kept beyond the places that all types share, of those that are short."""
        least = 2 * self._in_force.settings.slots
        return {job_type: (least << times) - least for job_type, times in self._doublings.items() if times}

    @property
    def backlog(self) -> int:
        """So many ready jobs are kept, those of all types together."""
        settings = self._in_force.settings
        return _within(settings.backlog, settings.backlog_most, self._more_of_all())

    @property
    def pending(self) -> int:
        """So many jobs are kept whose data is not there yet."""
        settings = self._in_force.settings
        return _within(settings.pending, settings.pending_most, self._more_of_all())

    def settle(self, at: Moment) -> None:
        """Look how long jobs take; offers are made by it from the next batch on, when managers have been told."""
        settings = self._in_force.settings
        least, most = 2 * settings.slots, max(settings.backlog_most, settings.pending_most)
        for job_type, measured in self._shares.outlook(at.now).items():
            # A job that fails at once says little of those behind it: each one that ends makes room for one more.
            ahead = settings.slots * AHEAD_S / max(measured.mean_s, SHORTEST_S)
            wanted = min(ahead, least + measured.jobs, most)
            before = now = self._doublings.get(job_type, 0)
            while least << (now + 1) <= wanted:
                now += 1
            while now and least << now > 2 * wanted:
                now -= 1
            if now != before:
                self._doublings[job_type] = now

    def _more_of_all(self) -> int:
        return sum(self.more().values())


def _within(least: int, most: int, more: int) -> int:
    return max(least, min(least + more, most))
