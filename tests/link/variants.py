"""Links that are wrong in one way each. A walk that does not catch them proves nothing about the right one.

Some forget one comparison or one order, some are readings of the rules that look right and are not. Each is a patch of
the real code, entered as a context; production code knows nothing of it.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any
from unittest.mock import patch

from caroni_edge.base.memory import Journal
from caroni_edge.delivery import link as link_module
from caroni_edge.delivery.link import REPEAT, Link
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRow, OutboxRows
from caroni_edge.protocol.codec import decode_envelope, decode_message, encode_message
from caroni_edge.protocol.fields import Position
from caroni_edge.protocol.messages import Frame, LinkReset
from tests.link.broker import Envelope
from tests.link.process import Action, Due, Process
from tests.variants import Variants, instead

VARIANTS = Variants()


@VARIANTS.add
def id_not_compared_on_taking() -> Iterator[None]:
    """Only the seq tells whether a frame continues what was taken."""

    def is_continued_by(link: Link, frame: Frame) -> bool:
        return frame.first is not None and frame.first <= link.taken[0] + 1

    with instead(Link, "_is_continued_by", is_continued_by):
        yield


@VARIANTS.add
def id_not_compared_on_acknowledging() -> Iterator[None]:
    """Only the seq tells whether an acknowledgement matches."""

    def matches(link: Link, ack: Position) -> bool:
        return link.acked[0] <= ack[0] <= link._newest[0]

    with instead(Link, "_matches", matches):
        yield


@VARIANTS.add
def acknowledgements_counted_while_a_question_is_open() -> Iterator[None]:
    """A frame that is not the answer counts as if no question were open."""
    acknowledge = Link._acknowledge

    def counted(link: Link, frame: Frame, answered: bool, now: float) -> bool:
        question, link.question = link.question, link.question if answered else None
        was_reset = acknowledge(link, frame, answered, now)
        if not answered and question is not None:
            link.question = question
        return was_reset

    with instead(Link, "_acknowledge", counted):
        yield


@VARIANTS.add
def nonce_not_compared() -> Iterator[None]:
    """Any answer closes the question."""

    def is_answered(link: Link, frame: Frame) -> bool:
        return frame.answer is not None and link.question is not None

    with instead(Link, "_is_answered", is_answered):
        yield


@VARIANTS.add
def reset_on_a_mere_hello() -> Iterator[None]:
    """A Hello that does not match resets, as an answer would."""
    acknowledge = Link._acknowledge

    def hasty(link: Link, frame: Frame, answered: bool, now: float) -> bool:
        mere_hello = frame.ask is not None and link.question is None and not link._matches(frame.ack)
        return acknowledge(link, frame, answered or mere_hello, now)

    with instead(Link, "_acknowledge", hasty):
        yield


@VARIANTS.add
def rows_copied_at_a_reset() -> Iterator[None]:
    """What was not acknowledged is put again, with new ids."""
    reset = Link._reset

    def copying(link: Link, position: Position, now: float) -> None:
        bodies = [row.body for row in link._rows.above(link.peer, 0, 1 << 30)]
        reset(link, position, now)
        for message in map(decode_message, bodies):
            if not isinstance(message, LinkReset):
                link.put(message, now)

    with instead(Link, "_reset", copying):
        yield


@VARIANTS.add
def no_link_reset() -> Iterator[None]:
    """The other side is not told of a reset."""

    def silent(link: Link, position: Position, now: float) -> None:
        link._rows.delete_rows(link.peer)
        link.acked = position
        link._send_again_after(position)

    with instead(Link, "_reset", silent):
        yield


@VARIANTS.add
def taken_committed_after_the_handlers_changes() -> Iterator[None]:
    """The positions are written in a transaction of their own, when all is published."""
    save_positions, after_commit = OutboxRows.save_positions, Process.after_commit
    late: dict[int, list[tuple[OutboxRows, str, Position, Position]]] = {}

    def save_later(rows: OutboxRows, peer: str, acked: Position, taken: Position) -> None:
        late.setdefault(id(rows._conn), []).append((rows, peer, acked, taken))

    def save_at_last(process: Process, arrived: Sequence[Envelope], frames: Sequence[Due]) -> list[Action]:
        def save() -> None:
            for rows, peer, acked, taken in late.pop(id(process.database.conn), []):
                save_positions(rows, peer, acked, taken)

        return [*after_commit(process, arrived, frames), save]

    with instead(OutboxRows, "save_positions", save_later), instead(Process, "after_commit", save_at_last):
        yield


@VARIANTS.add
def taken_committed_before_the_handlers_changes() -> Iterator[None]:
    """The positions hold even if the handlers' changes are rolled back."""
    run_batch, inside = Process.run_batch, Process._inside
    positions: list[tuple[str, Position, Position]] = []

    def noting(process: Process, *facts: Any) -> list[Due]:
        try:
            return inside(process, *facts)
        except BaseException:
            positions[:] = [(link.peer, link.acked, link.taken) for link in process.links._links.values()]
            raise

    def early(process: Process, *facts: Any, **named: Any) -> None:
        positions.clear()
        try:
            run_batch(process, *facts, **named)
        finally:
            for each in positions:
                OutboxRows(process.database.conn).save_positions(*each)

    with instead(Process, "_inside", noting), instead(Process, "run_batch", early):
        yield


@VARIANTS.add
def rows_deleted_at_puback() -> Iterator[None]:
    """The broker's word is enough."""

    def published(process: Process, frame: Frame) -> None:
        if frame.first is not None:
            last = frame.first + len(frame.messages) - 1
            row_id = decode_envelope(frame.messages[-1]).id
            rows = OutboxRows(process.database.conn)
            rows.delete_upto(frame.to, last)
            link = process.links._links[frame.to]
            link.acked = max(link.acked, (last, row_id))
            rows.save_positions(frame.to, link.acked, link.taken)

    with instead(Process, "published", published):
        yield


@VARIANTS.add
def puback_before_the_commit() -> Iterator[None]:
    """A message is acknowledged to the broker when it arrives."""
    take = Process.take

    def eager(process: Process, envelope: Envelope) -> None:
        process.puback(envelope)
        take(process, envelope)

    with instead(Process, "take", eager):
        yield


@VARIANTS.add
def published_before_the_commit() -> Iterator[None]:
    """Frames leave while the transaction is open."""
    frames, after_commit = Links.frames, Process.after_commit

    def eager(links: Links, limit: int) -> Iterator[tuple[Frame, int]]:
        for frame, qos in frames(links, limit):
            links._on_reset.__self__.publish(frame, qos)  # type: ignore[attr-defined]
            yield frame, qos

    def acknowledge_only(process: Process, arrived: Sequence[Envelope], _frames: Sequence[Due]) -> list[Action]:
        return after_commit(process, arrived, [])

    with instead(Links, "frames", eager), instead(Process, "after_commit", acknowledge_only):
        yield


@VARIANTS.add
def rows_deleted_while_a_question_is_open() -> Iterator[None]:
    """An acknowledgement does nothing else then, but it deletes rows."""
    acknowledge = Link._acknowledge

    def deleting(link: Link, frame: Frame, answered: bool, now: float) -> bool:
        if link.question is not None and not answered and link._matches(frame.ack):
            link._rows.delete_upto(link.peer, frame.ack[0])
        return acknowledge(link, frame, answered, now)

    with instead(Link, "_acknowledge", deleting):
        yield


@VARIANTS.add
def prev_taken_from_sent() -> Iterator[None]:
    """A frame names what was sent before it, though rows were acknowledged since."""
    sent, send_again_after, init = Link._sent, Link._send_again_after, Link.__init__

    def begin(link: Any, *facts: Any) -> None:
        init(link, *facts)
        link.sent_id = link._newest[1]

    def remember(link: Any, frame: Frame, now: float) -> Frame:
        if frame.messages:
            link.sent_id = decode_envelope(frame.messages[-1]).id
        return sent(link, frame, now)

    def go_back(link: Any, position: Position) -> None:
        send_again_after(link, position)
        link.sent_id = position[1]

    with (
        instead(Link, "__init__", begin),
        instead(Link, "_sent", remember),
        instead(Link, "_send_again_after", go_back),
        instead(Link, "_id_before", lambda link, _seq: link.sent_id),
    ):
        yield


@VARIANTS.add
def memory_kept_over_a_rollback() -> Iterator[None]:
    """The rows go back, and what is in memory does not."""

    with instead(Journal, "go_back", lambda _journal, _mark=0: None):
        yield


@VARIANTS.add
def repeat_put_off_when_heard() -> Iterator[None]:
    """Each frame of the peer moves the repeat of a question to five seconds later."""

    def put_off(link: Link, now: float) -> None:
        if link.question is not None and link._repeat_at < inf:
            link._repeat_at = now + REPEAT.first_s

    with instead(Link, "_repeat_soon", put_off):
        yield


@VARIANTS.add
def seq_remembered_over_a_savepoint() -> Iterator[None]:
    """The next seq is counted in memory, though a savepoint may have taken rows back."""

    def put(link: Any, message: Any, now: float) -> None:
        row_id = link._chance.new_id()
        seq = max(link.__dict__.get("last_seq", 0), link._newest[0]) + 1
        link._rows.add(link.peer, OutboxRow(seq, row_id, encode_message(row_id, message)))
        link.last_seq = seq

    with instead(Link, "put", put):
        yield


@VARIANTS.add
def no_limit_of_hellos() -> Iterator[None]:
    """A Hello goes out whenever there is a reason."""
    with patch.object(link_module, "HELLO_EVERY_S", 0.0):
        yield
