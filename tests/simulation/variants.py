"""Nodes that are wrong in one way each. A simulation that does not catch them proves nothing about the right ones.

Each is a patch of the real code, entered as a context. What is wrong in the link alone is in `tests/link/variants.py`;
those that show in a whole federation are taken from there. What is wrong about files is in `filevariants.py`, about
directories and lists that are objects in `insidevariants.py`, what only costs time in `stillvariants.py`.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any
from unittest.mock import patch

from caroni_edge.agent.jobs.endings import Endings
from caroni_edge.agent.jobs.intake import Intake
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.jobs.surplus import Surplus
from caroni_edge.agent.jobs.takeover import Takeover
from caroni_edge.agent.jobs.unsaid import Unsaid
from caroni_edge.agent.lifecycle import JobEvent, JobState
from caroni_edge.agent.offers.open import OpenOffers
from caroni_edge.agent.offers.resources import Left
from caroni_edge.agent.peers.reconcile import Reconciliation as AgentReconciliation
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.agent.reactor import AgentReactor
from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.agent.store.jobs import JobRow as AgentJobRow
from caroni_edge.agent.store.offers import OfferRows
from caroni_edge.base.memory import Journal
from caroni_edge.base.moment import Moment
from caroni_edge.delivery.link import Link
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.offers.demand import Demand
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.offers.placing import Placing
from caroni_edge.manager.peers.fleet import Fleet
from caroni_edge.manager.peers.reconcile import Reconciliation
from caroni_edge.manager.peers.strays import LIVE, Strays
from caroni_edge.manager.store.agents import AgentRows, Places
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRows
from caroni_edge.manager.triggers import pauses
from caroni_edge.manager.triggers.triggers import Triggers
from caroni_edge.manager.workflows.attempts import Attempts
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.evaluations import Evaluations
from caroni_edge.manager.workflows.failures import Failures
from caroni_edge.node.calls import Call
from caroni_edge.node.connection import Connection
from caroni_edge.node.cutoffs import Publication
from caroni_edge.node.node import Node
from caroni_edge.protocol.codec import decode_envelope
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame, JobStatusUpdate
from caroni_edge.protocol.reconciling import JobHere, JobsWanted
from caroni_edge.transport.base import Arrived, Event, Published
from tests.link.variants import VARIANTS as LINK_VARIANTS
from tests.simulation.filevariants import FILE_VARIANTS
from tests.simulation.handovervariants import HANDOVER_VARIANTS
from tests.simulation.hosts import Host
from tests.simulation.insidevariants import INSIDE_VARIANTS
from tests.simulation.stillvariants import STILL_VARIANTS
from tests.variants import Variants, instead

VARIANTS = Variants(
    {
        name: LINK_VARIANTS[name]
        for name in (
            "id_not_compared_on_taking",
            "id_not_compared_on_acknowledging",
            "memory_kept_over_a_rollback",
            "no_link_reset",
        )
    }
)
VARIANTS.update(FILE_VARIANTS)
VARIANTS.update(INSIDE_VARIANTS)
VARIANTS.update(HANDOVER_VARIANTS)
VARIANTS.update(STILL_VARIANTS)


# The loop


@VARIANTS.add
def published_before_the_commit() -> Iterator[None]:
    """Frames leave while the transaction is open."""
    init, frames = Node.__init__, Links.frames

    def with_connection(node: Node, *facts: Any) -> None:
        init(node, *facts)
        node.links.connection = node.connection  # type: ignore[attr-defined]

    def eager(links: Any, limit: int) -> Iterator[tuple[Frame, int]]:
        links.connection.send(frames(links, limit))
        yield from ()

    with instead(Node, "__init__", with_connection), instead(Links, "frames", eager):
        yield


@VARIANTS.add
def puback_before_the_commit() -> Iterator[None]:
    """A message is acknowledged to the broker before it has taken effect."""
    run_batch = Node.run_batch

    def eager(node: Node, arrived: Sequence[Event | Call], at: Moment) -> None:
        for event in arrived:
            if isinstance(event, Arrived) and event.qos:
                node.connection.ack(event)
        run_batch(node, arrived, at)

    with instead(Node, "run_batch", eager):
        yield


@VARIANTS.add
def rows_deleted_at_puback() -> Iterator[None]:
    """The broker's word is enough."""
    note, publish = Node._note, Connection._publish

    def remembering(connection: Any, what: Publication, payload: bytes, **facts: Any) -> int | None:
        token = publish(connection, what, payload, **facts)
        if token and what.frame is not None:
            connection.__dict__.setdefault("frames_of", {})[token] = what.frame
        return token

    def deleting(node: Node, event: Event | Call, at: Moment) -> bool:
        frame = node.connection.__dict__.get("frames_of", {}).get(event.token) if isinstance(event, Published) else None
        if frame is not None and frame.messages and frame.to in node.links._links:
            last = (frame.first + len(frame.messages) - 1, decode_envelope(frame.messages[-1]).id)
            rows, link = OutboxRows(node.database.conn), node.links._links[frame.to]
            rows.delete_upto(frame.to, last[0])
            link.acked = max(link.acked, last)
            rows.save_positions(frame.to, link.acked, link.taken)
        return note(node, event, at)

    with instead(Connection, "_publish", remembering), instead(Node, "_note", deleting):
        yield


@VARIANTS.add
def taken_committed_apart() -> Iterator[None]:
    """That messages were taken is committed before what their handlers change."""
    receive = Links.receive

    def committing(links: Links, frame: Frame) -> Any:
        messages = receive(links, frame)
        links._rows._conn.execute("COMMIT")
        links._rows._conn.execute("BEGIN IMMEDIATE")
        return messages

    with instead(Links, "receive", committing):
        yield


# Memory


@VARIANTS.add
def savepoints_keep_memory() -> Iterator[None]:
    """Only a whole batch takes memory back; what a message or deciding has changed stays."""
    go_back = Journal.go_back
    with instead(Journal, "go_back", lambda journal, mark=None: None if mark else go_back(journal)):
        yield


@VARIANTS.add
def settled_packet_ids_kept() -> Iterator[None]:
    """That a packet id was in use again is forgotten with the batch, and that it was settled is not."""
    with _plain(Triggers, "_settled", set):
        yield


@VARIANTS.add
def running_said_is_kept() -> Iterator[None]:
    """That a manager was told that a job runs stays in memory, though the batch was undone."""
    with _plain(Unsaid, "_jobs", dict):
        yield


@VARIANTS.add
def kills_dropped_when_deciding_fails() -> Iterator[None]:
    """Deciding that fails takes back what the handlers of the batch wanted killed."""
    settle = AgentReactor.settle

    def forgetful(reactor: AgentReactor, at: Moment) -> None:
        kept = dict(reactor._context.deeds._kills)
        settle(reactor, at)
        for job in kept:
            reactor._context.deeds._kills._items.pop(job, None)  # in no journal

    with instead(AgentReactor, "settle", forgetful):
        yield


def _plain(part: type, name: str, container: type) -> Any:
    """Let a part keep something in a container that does not go back."""
    init = part.__init__  # type: ignore[misc]

    def forgetful(self: Any, *facts: Any) -> None:
        init(self, *facts)
        object.__setattr__(self, name, container())

    return instead(part, "__init__", forgetful)


@VARIANTS.add
def given_back_without_a_word() -> Iterator[None]:
    """A job that would begin late is dropped, and its manager is not told."""

    def drop(ledger: Ledger, row: Any, reason: str, at: Moment) -> None:
        ledger.refuse(row, JobEvent.START_REFUSED, reason, at, tell=False)

    with instead(Ledger, "give_back", drop):
        yield


@VARIANTS.add
def needs_that_are_taken_do_not_count() -> Iterator[None]:
    """A job is asked for, and started, though another has what it needs of its host."""
    with instead(Left, "has", lambda _left, _job_type: True):
        yield


@VARIANTS.add
def late_jobs_kept() -> Iterator[None]:
    """What an agent has taken it keeps, however long it would wait."""
    with instead(Surplus, "settle", _nothing):
        yield


# Attempts


@VARIANTS.add
def old_attempt_fails_the_present_one() -> Iterator[None]:
    """The failure of any attempt of a step counts as that of its present one."""

    def fail(failures: Failures, job: JobRow, end: JobEnd, at: Moment, **facts: bool) -> None:
        failures._store.jobs.close(job.job, end)
        step = failures._store.steps.by_id(job.step)
        failures._again(failures._store.workflows.by_seq(step.workflow), step, job, end, at, **facts)

    with instead(Failures, "fail", fail):
        yield


@VARIANTS.add
def closed_job_still_counts() -> Iterator[None]:
    """Messages about jobs that are over take effect."""

    def known(attempts: Attempts, agent: str, name: str) -> JobRow | None:
        return attempts._store.jobs.by_id(name)

    with instead(Attempts, "_open", known):
        yield


@VARIANTS.add
def second_completion_taken() -> Iterator[None]:
    """Another attempt of a completed step may complete it again, and nobody kills it."""
    with instead(Orders, "kill_others", _nothing):
        yield


@VARIANTS.add
def other_attempts_not_killed() -> Iterator[None]:
    """The other attempts of a completed step are over for the manager, but their agents are not told."""

    def close_only(orders: Orders, step: int, winner: str, at: Moment) -> None:
        for job in orders._store.jobs.open_of_step(step):
            if job.job != winner:
                orders._store.jobs.close(job.job, JobEnd("killed", reason="another completed", ended=at.date))

    with instead(Orders, "kill_others", close_only):
        yield


@VARIANTS.add
def repeat_false_repeated() -> Iterator[None]:
    """A job that may not be repeated by itself is asked for anew like any other."""
    again = Failures._again

    def anyway(failures: Failures, row: Any, step: Any, job: JobRow, end: JobEnd, at: Moment, **facts: bool) -> None:
        again(failures, row, step, job._replace(repeat=True), end, at, **facts)

    with instead(Failures, "_again", anyway):
        yield


@VARIANTS.add
def silent_agent_never_given_up() -> Iterator[None]:
    """`lost_after` means nothing."""

    def wait(fleet: Fleet, at: Moment) -> None:
        fleet._silence_due = inf

    with instead(Fleet, "_look_for_silence", wait):
        yield


@VARIANTS.add
def data_sent_only_once() -> Iterator[None]:
    """An agent that still waits for the data of a job does not get them again."""
    with instead(Attempts, "_bring_lost_data", _nothing):
        yield


@VARIANTS.add
def demand_said_only_once() -> Iterator[None]:
    """Demand that has not changed is not said again: not after a reconnect, not to newcomers, not every minute."""
    say = Demand.on_connected

    def at_first_only(demand: Any, at: Moment, *, session_present: bool) -> None:
        if not demand.__dict__.setdefault("was_said", False):
            demand.was_said = True
            say(demand, at, session_present=session_present)

    with instead(Demand, "on_connected", at_first_only), instead(Demand, "_again_due", lambda _demand, _type: inf):
        yield


# Reconciliation


@VARIANTS.add
def no_reconciliation() -> Iterator[None]:
    """After a reset the manager goes on as if nothing had happened."""

    def settle(reconciliation: Reconciliation, at: Moment) -> None:
        reconciliation._store.agents._conn.execute("UPDATE peers SET reconcile = 0")

    with instead(Reconciliation, "settle", settle):
        yield


@VARIANTS.add
def missing_jobs_never_were() -> Iterator[None]:
    """A job that its agent has lost is asked for anew as if it could not have begun."""

    def miss(reconciliation: Reconciliation, job: JobRow, at: Moment, *, is_same_database: bool) -> None:
        reconciliation._orders.never_was(reconciliation._store.steps.by_id(job.step), job)

    with instead(Reconciliation, "_miss", miss):
        yield


@VARIANTS.add
def acceptance_for_another_database_taken() -> Iterator[None]:
    """An agent that was installed anew takes jobs that its predecessor has offered for."""
    take = Intake._take
    with instead(Intake, "_take", lambda *facts, **_named: take(*facts, is_ours=True)):
        yield


@VARIANTS.add
def older_copy_keeps_its_name() -> Iterator[None]:
    """An agent whose database is a copy from before the last start has the same name as before."""
    with instead(Takeover, "_name", _nothing):
        yield


@VARIANTS.add
def what_the_keeper_knows_not_taken_over() -> Iterator[None]:
    """An agent goes by its database alone: what has begun since that was copied begins again, where it can."""
    with instead(Slots, "on_begun", _nothing), instead(Host, "start", _start_again):
        yield


def _start_again(host: Host, order: JobOrder) -> None:
    host._ended.pop(order.job, None)
    _HOST_START(host, order)


_HOST_START = Host.start


@VARIANTS.add
def strays_only_killed() -> Iterator[None]:
    """A job that a manager does not know is killed, and its step is asked for anew at once."""
    with instead(Strays, "_may_wait", lambda *_facts: False):
        yield


@VARIANTS.add
def strays_that_have_ended_left_alone() -> Iterator[None]:
    """A job that has ended while a manager did not know it is none of its business."""
    take = Strays.take

    def only_live(strays: Strays, agent: str, here: JobHere, at: Moment) -> None:
        if here.status in LIVE:
            take(strays, agent, here, at)

    with instead(Strays, "take", only_live):
        yield


@VARIANTS.add
def taken_back_by_assuming() -> Iterator[None]:
    """What a restored manager has not sent as far as it knows, was not sent."""
    with instead(Orders, "cannot_have_begun", lambda _orders, job: not job.data_sent):
        yield


@VARIANTS.add
def statuses_taken_while_asked() -> Iterator[None]:
    """While an agent says what it holds, its statuses take effect at once: those of jobs not known yet are lost."""

    def take(reconciliation: Reconciliation, agent: str, message: JobStatusUpdate, at: Moment) -> None:
        reconciliation._attempts.on_status(agent, message, at)

    with instead(Reconciliation, "on_status", take):
        yield


# Lies


@VARIANTS.add
def claimed_serial_is_taken_over() -> Iterator[None]:
    """What a manager claims to know of an agent's database moves the count of changes that all managers hear."""
    on_jobs_wanted = AgentReconciliation.on_jobs_wanted

    def believing(reconciliation: AgentReconciliation, manager: str, message: JobsWanted, at: Moment) -> None:
        if message.database == reconciliation._store.facts.database_for(manager):
            statement = "UPDATE counters SET value = max(value, ?) WHERE name = 'serial'"
            reconciliation._store.facts._conn.execute(statement, (message.known,))
        on_jobs_wanted(reconciliation, manager, message, at)

    with instead(AgentReconciliation, "on_jobs_wanted", believing):
        yield


@VARIANTS.add
def adopted_whoever_may_take_the_step() -> Iterator[None]:
    """A job is adopted for a step that only other agents may take."""
    with instead(StepRow, "may_be_taken_by", lambda _step, _agent: True):
        yield


@VARIANTS.add
def held_back_for_all_until_answered() -> Iterator[None]:
    """While any agent is asked what it holds, nobody is given a step."""

    def holding(holds: Holds, now: float) -> dict[str, float]:
        return dict.fromkeys(holds._since, inf)

    with instead(Holds, "holding", holding), instead(AgentRows, "may_hold", lambda *_facts: True):
        yield


@VARIANTS.add
def offers_counted_in_full() -> Iterator[None]:
    """An agent gets as many jobs as it offers places for, whatever its presence says."""
    with instead(AgentRows, "places_left", lambda *_facts: Places(1 << 30, 1 << 30)):
        yield


@VARIANTS.add
def status_of_anybody_taken() -> Iterator[None]:
    """What an agent says of a job counts, though another agent has it."""

    def known(attempts: Attempts, agent: str, name: str) -> JobRow | None:
        job = attempts._store.jobs.by_id(name)
        return job if job is not None and job.open else None

    with instead(Attempts, "_open", known):
        yield


@VARIANTS.add
def others_come_first_for_ever() -> Iterator[None]:
    """A step that has failed on an agent waits for the others that say that they serve its type."""
    with instead(Placing, "_again", lambda *_facts: []):
        yield


@VARIANTS.add
def unacknowledged_messages_kept() -> Iterator[None]:
    """What is said to a peer waits until it is acknowledged, however much it is."""
    put = Link.put

    def keep(link: Link, message: LinkMessage, now: float) -> bool:
        put(link, message, now)
        return False

    with instead(Link, "put", keep):
        yield


# What people do


@VARIANTS.add
def held_begin_in_another_order() -> Iterator[None]:
    """Of the workflows that were held the newest begins first."""
    with (
        patch.object(WorkflowRows, "HELD", WorkflowRows.HELD.replace("ORDER BY seq", "ORDER BY seq DESC")),
        patch.object(pauses, "WORKFLOWS_AT_ONCE", 1),
    ):
        yield


@VARIANTS.add
def steps_left_of_what_was_deleted() -> Iterator[None]:
    """Only the row of a workflow is deleted."""
    with instead(WorkflowRows, "pruned", _nothing):
        yield


@VARIANTS.add
def held_here_is_never_begun_elsewhere() -> Iterator[None]:
    """What an agent has of a workflow that is held here is killed, though it had begun before a restore."""
    with instead(Engine, "_has_step", lambda *_: False):
        yield


@VARIANTS.add
def javascript_is_asked_for_once() -> Iterator[None]:
    """A manager that starts has forgotten what was being worked out."""

    def forget(evaluations: Evaluations, at: Moment) -> None:
        evaluations._store.evaluations._conn.execute("DELETE FROM evaluations WHERE evaluated IS NULL")

    with instead(Evaluations, "on_start", forget):
        yield


# The agent


@VARIANTS.add
def recalled_without_waiting_for_the_answer() -> Iterator[None]:
    """What waits at its keeper counts as never started from the moment that it is recalled."""
    settle = Slots.settle

    def assuming(slots: Slots, at: Moment) -> None:
        settle(slots, at)
        if slots.ahead.is_recalling:
            for job in slots.ahead.running():
                slots.on_recalled(job.job, at)
            settle(slots, at)

    with instead(Slots, "settle", assuming):
        yield


@VARIANTS.add
def killed_at_once_though_handed_over() -> Iterator[None]:
    """A job that waits at its keeper ends at once when it is killed, as if it had not begun."""
    kill = Endings.kill

    def at_once(endings: Endings, row: AgentJobRow, reason: str, at: Moment) -> None:
        kill(endings, row._replace(begun=row.begun and row.status != JobState.QUEUED), reason, at)

    with instead(Endings, "kill", at_once):
        yield


@VARIANTS.add
def recall_unanswered() -> Iterator[None]:
    """A keeper that is asked for what waits there does not say what it has not started."""
    with instead(Host, "recall", Host._forget_ahead):
        yield


@VARIANTS.add
def handed_over_before_the_restart_starts_after_it() -> Iterator[None]:
    """A keeper goes on with what a process of before has handed over, when the next one has taken over."""
    recover = Host.recover

    def keeping(host: Host, *facts: Any) -> None:
        ahead = dict(host._ahead)
        recover(host, *facts)
        host._ahead.update(ahead)

    with instead(Host, "recover", keeping):
        yield


@VARIANTS.add
def no_record_means_never_started_in_any_boot() -> Iterator[None]:
    """After the host has stopped a job counts as never started where its record is lost."""
    with instead(AgentFactRows, "boot", lambda _facts: ""):
        yield


@VARIANTS.add
def running_committed_after_the_start() -> Iterator[None]:
    """A process is started before the transaction is committed that says so."""
    settle = AgentReactor.settle

    def eager(reactor: AgentReactor, at: Moment) -> None:
        settle(reactor, at)
        for order in reactor._context.deeds._starts:
            reactor._runner.start(order)
        reactor._context.deeds._starts = ()

    with instead(AgentReactor, "settle", eager):
        yield


@VARIANTS.add
def started_again_after_a_crash() -> Iterator[None]:
    """An agent that starts begins its running jobs again, and does not look for their records."""

    def start_again(slots: Slots, at: Moment) -> None:
        slots._store.jobs._conn.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")

    with instead(Slots, "on_start", start_again):
        yield


@VARIANTS.add
def what_runs_not_looked_for() -> Iterator[None]:
    """An agent that starts does not ask what became of its running jobs."""
    with instead(Slots, "on_start", _nothing):
        yield


@VARIANTS.add
def reservation_never_runs_out() -> Iterator[None]:
    """An offer that nobody answers keeps its places."""
    with instead(OpenOffers, "run_out", _nothing), instead(OfferRows, "next_end", _nothing):
        yield


@VARIANTS.add
def kill_ignored() -> Iterator[None]:
    """An agent does nothing on a JobKill."""
    with instead(AgentReactor, "_on_kill", _nothing):
        yield


def _nothing(*_arguments: Any, **_named: Any) -> None:
    return None
