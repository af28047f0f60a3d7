"""How a manager is forgotten that will not come back."""

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.peers.presence import PresenceSaid
from caroni_edge.agent.retention import Retention
from caroni_edge.node.reactor import Forgotten


class Forgetting:
    """Deletes what concerns a manager, from rows and from the memory of the parts."""

    def __init__(self, context: Context, slots: Slots, retention: Retention, presence: PresenceSaid) -> None:
        """Use the rows, and the parts that remember something of managers."""
        self._store, self._in_force, self._topics = context.store, context.in_force, context.topics
        self._deeds, self._slots, self._retention, self._presence = context.deeds, slots, retention, presence

    def forget(self, peer: str) -> Forgotten:
        """Forget a manager: its running jobs are killed, and nothing more is said to it."""
        jobs = self._store.jobs.count_of(peer)
        if peer in self._slots.ahead.managers():
            self._slots.ahead.recall()  # else the next of them would begin in the slot of one that is killed
        for job in self._store.jobs.live_of(peer):
            row = self._store.jobs.by_job(job)
            assert row is not None
            if row.begun:
                self._deeds.kill(job, f"manager {peer} was forgotten")
            self._store.jobs.delete([row.id])
        self._retention.forget(peer)
        self._presence.forget_manager(peer)
        offers = self._store.offers.forget(peer)
        rows = self._store.demands.forget(peer) + self._store.managers.forget(peer)
        rows += self._store.objects.forget(peer) + self._store.keeps.forget(peer) + self._store.object_keys.forget(peer)
        rows += self._store.locations.forget(peer)
        self._slots.endings.keep_counts()  # else what was counted of it in this batch would stay
        rows += self._store.slot_time.forget(peer) + self._store.turned_away.forget(peer)
        self._store.answers.end(peer)
        self._store.object_answers.end(peer)
        self._store.facts.forget_manager(peer)
        self._slots.look_again()
        requests = tuple(f"{self._topics.root}/requests/{name}/{peer}" for name in sorted(self._in_force.types.names()))
        return Forgotten(rows=rows, jobs=jobs, offers=offers, retained=requests)
