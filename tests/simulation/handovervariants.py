"""Nodes that are wrong in what they do for the hand-over of outputs; see `tests/simulation/variants.py`."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.takers import Takers
from caroni_edge.base.moment import Moment
from caroni_edge.manager.jobs.handover import is_misfed
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.peers.reconcile import Reconciliation
from caroni_edge.manager.store.jobs import JobEnd, JobRow, JobRows
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.workflows.failures import Failures
from caroni_edge.protocol.messages import JobStatusUpdate
from tests.variants import Variants, instead

HANDOVER_VARIANTS = Variants()


@HANDOVER_VARIANTS.add
def outputs_wait_for_the_manager() -> Iterator[None]:
    """An agent gives the outputs of a job to no other by itself."""
    with instead(Ledger, "_feed", lambda _ledger, _giver: []), instead(Ledger, "take_given", _nothing):
        yield


@HANDOVER_VARIANTS.add
def result_of_other_inputs_taken() -> Iterator[None]:
    """A manager does not look which inputs a job had."""
    with patch("caroni_edge.manager.workflows.attempts.is_misfed", lambda *_facts: False):
        yield


@HANDOVER_VARIANTS.add
def inputs_compared_of_takers_only() -> Iterator[None]:
    """A manager does not look which inputs a job had that was to have them from itself."""

    def of_takers(store: Any, job: JobRow, said: JobStatusUpdate) -> bool:
        return job.inputs_from is not None and is_misfed(store, job, said)

    with patch("caroni_edge.manager.workflows.attempts.is_misfed", of_takers):
        yield


@HANDOVER_VARIANTS.add
def other_inputs_use_up_an_attempt() -> Iterator[None]:
    """A job that is given up, since its inputs were not those of its step, counts as one that has failed."""

    def count(failures: Failures, step: StepRow, job: JobRow, reason: str, at: Moment, *, begun: bool) -> None:
        row = failures._store.workflows.by_seq(step.workflow)
        failures._again(row, step, job, JobEnd("failed", reason=reason, begun=begun), at)

    with instead(Failures, "_ask_anew", count):
        yield


@HANDOVER_VARIANTS.add
def handed_over_again_after_other_inputs() -> Iterator[None]:
    """A step whose job had other inputs is handed over like any other."""
    with instead(JobRows, "was_misfed", lambda _rows, _step: False):
        yield


@HANDOVER_VARIANTS.add
def takers_taken_back_by_assuming() -> Iterator[None]:
    """A job that may have taken its inputs by itself counts as one that cannot have begun."""
    with patch.object(JobRow, "may_have_data", property(lambda job: job.data_sent)):
        yield


@HANDOVER_VARIANTS.add
def asked_anew_before_the_end_is_heard() -> Iterator[None]:
    """A job that is taken back by asking is not waited for."""
    recall = Orders.recall

    def leave(orders: Orders, job: JobRow, reason: str) -> None:
        recall(orders, job, reason)
        orders.recalled(orders._store.steps.by_id(job.step))

    with instead(Orders, "recall", leave):
        yield


@HANDOVER_VARIANTS.add
def takers_outlive_their_givers() -> Iterator[None]:
    """An agent lets a job wait for another that has ended without outputs."""
    with instead(Ledger, "_end_takers", _nothing):
        yield


@HANDOVER_VARIANTS.add
def takers_not_recalled() -> Iterator[None]:
    """A manager lets a job wait for another that will not be the result of its step."""
    with instead(Orders, "recall_takers", _nothing):
        yield


@HANDOVER_VARIANTS.add
def givers_not_looked_for() -> Iterator[None]:
    """An agent takes a job whose giver it does not have."""
    with instead(Takers, "misfit", _nothing):
        yield


@HANDOVER_VARIANTS.add
def answers_taken_by_name() -> Iterator[None]:
    """What an agent says of its jobs is taken in the order of their names: takers before their givers, too."""
    with patch("caroni_edge.manager.peers.reconcile._in_order", sorted):
        yield


@HANDOVER_VARIANTS.add
def pending_takers_not_adopted() -> Iterator[None]:
    """A restored manager wants no job back that waits for another."""
    with instead(Reconciliation, "_takes_the_same", lambda *_facts: False):
        yield


def _nothing(*_arguments: Any, **_named: Any) -> None:
    return None
