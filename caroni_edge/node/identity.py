"""Who this process is: its boot, when it says that it is there, and whether another node uses its id.

The rules are in docs/protocol.md, "Two nodes with one id".
"""

import logging
from collections.abc import Callable
from math import inf

from caroni_edge.base.backoff import Backoff
from caroni_edge.node.store import FactRows
from caroni_edge.protocol.messages import Presence

log = logging.getLogger(__name__)

BOOTS_KEPT = 100
LOOK_FOR_S = 1.0
"""So long a node waits for the presence that is retained under its own id, before it says its own."""
STAY_AWAY = Backoff(first_s=60.0, max_s=600.0)


class Identity:
    """The boots of this node, now and earlier, and the name of its database.

    Attributes:
        boot: Random at this start of the process.
        taken_by: Host of another node with our id, or None.
        say_due: When our presence is to be said on this connection; infinity when it was, or there is no connection.
    """

    def __init__(self, name: str, facts: FactRows, new_id: Callable[[], str]) -> None:
        """Read what earlier processes of the node `name` have left, and add this one."""
        self.boot = new_id()
        self.taken_by: str | None = None
        self.say_due = inf
        self._name, self._facts = name, facts
        self._stay_away_s = STAY_AWAY.first_s
        self._was_away = False
        self._boots = [*facts.boots(), self.boot][-BOOTS_KEPT:]
        facts.keep_boots(self._boots)
        facts.name_database(facts.database() or new_id())

    def prove_writable(self) -> None:
        """Write what is there already; an error tells that the database cannot be used."""
        self._facts.name_database(self._facts.database())

    def on_connected(self, now: float, *, was_said: bool) -> None:
        """Note a new connection, and when our presence is to be said on it.

        The first one of a process is said at once: what is retained under our id may be our own of an earlier process.
        Later ones are said when the retained one was read (`found`): then an unknown boot means another node. Who has
        stayed away says its presence at once too, since what is retained may be all that is left of the other node; if
        that is there, it comes back.

        Args:
            now: Seconds on the monotonic clock.
            was_said: This process has said its presence before.
        """
        self.say_due = now + LOOK_FOR_S if was_said and not self._was_away else now
        if self._was_away:
            self._was_away, self.taken_by = False, None

    def on_disconnected(self) -> None:
        """Note that the connection is gone: the presence is said on the next one."""
        self.say_due = inf

    def found(self, presence: Presence, now: float) -> float:
        """Judge the presence found under our own id; return for how many seconds to stay away (0: go on).

        Of two nodes with one id the one with the greater boot stays away, so they never fight.
        """
        if self.say_due == inf:
            return 0.0
        if not presence.online or presence.boot in self._boots:
            self.taken_by = None
            self._stay_away_s = STAY_AWAY.first_s
        else:
            self.taken_by = presence.host or "an unknown host"
            said = "id taken: another %s runs on %s; give each node an id of its own"
            log.error(said, self._name, self.taken_by, extra={"action": "id_taken"})
            if presence.boot < self.boot:
                self.say_due, self._was_away = inf, True
                pause_s, self._stay_away_s = self._stay_away_s, STAY_AWAY.after(self._stay_away_s)
                return pause_s
        self.say_due = now
        return 0.0
