"""Peers that will not come back: what is here of them is deleted, at their owner's wish or after a long silence."""

import logging
from dataclasses import replace

from caroni_edge.base.moment import Moment
from caroni_edge.delivery.links import Links
from caroni_edge.node.reactor import Forgotten, Notices, Reactor, UnknownPeer
from caroni_edge.protocol.topics import OTHER, Topics

log = logging.getLogger(__name__)


class Forgetting:
    """Forgets peers; if one returns, that is a reset."""

    def __init__(self, topics: Topics, links: Links, notices: Notices, reactor: Reactor) -> None:
        """Delete the rows of links, and what the reactor has."""
        self._topics, self._links, self._notices, self._reactor = topics, links, notices, reactor

    def forget(self, peer: str, at: Moment) -> Forgotten:
        """Delete a peer with its rows and all that concerns it."""
        gone = self._reactor.forget_peer(peer, at)
        gone = replace(gone, rows=gone.rows + self._links.forget(peer))
        facts = {"action": "peer_forgotten", "peer": peer}
        log.warning("forgotten: %d jobs, %d offers, %d rows", gone.jobs, gone.offers, gone.rows, extra=facts)
        return gone

    def forget_known(self, peer: str, at: Moment) -> Forgotten:
        """Forget a peer at the owner's wish, and what the broker has retained of it, where it lets us.

        Raises:
            UnknownPeer: There is nothing to forget.
        """
        gone = self.forget(peer, at)
        if not (gone.rows or gone.jobs or gone.offers):
            raise UnknownPeer("", node=self._topics.name, peer=f"{OTHER[self._topics.role]}/{peer}")
        gone = replace(gone, retained=(self._topics.presence_of(peer), *gone.retained))
        for topic in gone.retained:
            self._notices.say(topic, None)
        return gone

    def forget_silent(self, passed_s: float, after_s: float, at: Moment) -> bool:
        """Forget the peers that have been silent for `after_s`, `passed_s` more since the last look; tell of any."""
        silent = self._links.silent(passed_s, after_s)
        for peer in silent:
            self.forget(peer, at)
        return bool(silent)
