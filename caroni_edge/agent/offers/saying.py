"""Says offers to managers: the places, and what a manager needs to know of the job type and of this agent."""

import logging

from caroni_edge.agent.context import Context
from caroni_edge.protocol.messages import JobOffer

log = logging.getLogger(__name__)


class OffersSaid:
    """Puts offers into the outbox; whether they are kept is for those who make them."""

    def __init__(self, context: Context) -> None:
        """Say what is in force, and by which name a manager knows this database."""
        self._store, self._outbox, self._chance = context.store, context.outbox, context.chance
        self._in_force = context.in_force

    def say(
        self,
        manager: str,
        job_type: str,
        places: tuple[int, int],
        *,
        valid_for_s: float,
        serial: int = 0,
        expected_start_s: float = 0.0,
        stands: bool = False,
    ) -> str:
        """Offer places to a manager.

        Args:
            manager: To whom.
            job_type: What they are for; it is in force.
            places: How many there are for ready and for waiting jobs.
            valid_for_s: How long the offer is good.
            serial: Serial of the demand that it answers.
            expected_start_s: When one more job would start.
            stands: It answers no demand.

        Returns:
            The name of the offer.
        """
        known = self._in_force.types.get(job_type)
        assert known is not None
        ready, waiting = places
        offer = JobOffer(
            offer=self._chance.new_id(),
            job_type=job_type,
            serial=serial,
            ready=ready,
            waiting=waiting,
            repeat=known.repeat,
            valid_for=valid_for_s,
            expected_start=expected_start_s,
            database=self._store.facts.database_for(manager),
            labels=dict(self._in_force.settings.labels),
            stands=stands,
        )
        self._outbox.put(manager, offer)
        record = {"action": "offer_made", "peer": manager, "offer": offer.offer}
        why = " without a demand" if stands else ""
        log.debug("offered %d ready and %d waiting of %s%s", ready, waiting, job_type, why, extra=record)
        return offer.offer
