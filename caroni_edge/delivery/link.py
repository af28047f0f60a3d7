"""The link between this node and one peer: exactly once, in order, whatever the broker does (docs/protocol.md).

A sans-IO core: frames come in, frames go out, the time is passed in. What must survive is in the rows (`outbox.py`);
a `Link` holds what a process may forget. Each direction is a chain: every message has a random id, a frame names the
id of the row before its first, and an acknowledgement names the id of the last row taken. Comparing ids and not only
numbers is what tells a peer with another history (a restored or lost database) from a late frame.
"""

from collections.abc import Iterator
from math import inf

import msgspec

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.memory import Journal, Memory
from caroni_edge.base.moment import Chance
from caroni_edge.delivery.outbox import OutboxRow, OutboxRows
from caroni_edge.delivery.passage import ONE_MESSAGE_BYTES, SURELY_PASSES_BYTES, Passage
from caroni_edge.protocol.codec import MESSAGE_LIMIT_BYTES, decode_envelope, encode_message
from caroni_edge.protocol.fields import Position
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import LINK_VERSION, MESSAGE_VERSION, Frame, LinkReset

WINDOW_FRAMES = 32
ACK_WITHIN_S = 0.05
STUCK_AFTER_S = 5.0
REPEAT = Backoff(first_s=5.0, max_s=300.0, jitter=(0.75, 1.25))
HELLO_EVERY_S = 1.0
ANSWERS_MAX = 8
"""So many questions of a peer are answered at a time, the last ones: it has no more than one open."""
WAITING_MAX, WAITING_MAX_BYTES = 50_000, 512 << 20
"""So many messages wait for a peer at most, and so much: more than jobs that an agent may have, with their inputs."""
WEIGH_EVERY = 64
"""It is looked how much waits after so many messages more."""


class Link(Memory):
    """One peer's link. What it changes in the rows is part of the batch's transaction.

    Attributes:
        peer: Id of the other node.
        acked: The last position that the peer has said to have taken from us.
        taken: The last position that we have taken from the peer.
        boot: The peer's process last heard; None until then.
        question: Nonce of the open question.
        asked_at: When it was opened.
        has_answered: The peer has answered a question of this process.
        speaks: Newest message version of the peer, 1 until it is known.
        passage: What is known of the size that the broker lets pass.
        too_large: The body of the first row, when it alone does not pass; who sees it calls `begin_anew`.
    """

    def __init__(self, peer: str, me: str, boot: str, rows: OutboxRows, chance: Chance, journal: Journal) -> None:
        """Begin as a process does: no boot heard, older rows wait for an answer."""
        super().__init__(journal)
        self.peer = peer
        self.boot: str | None = None
        self.question: str | None = None
        self.asked_at = inf
        self.speaks = 1
        self.acked, self.taken = rows.positions(peer)
        self._newest = rows.last(peer) or self.acked
        self._me, self._own_boot = me, boot
        self._rows, self._chance = rows, chance
        self._sent_seq = self._newest[0]
        self.has_answered = False
        self._in_flight: tuple[int, ...] = ()
        self._answers: tuple[str, ...] = ()
        self._owes_hello = False
        self._hello_allowed_at = -inf
        self._repeat_at = inf
        self._repeat_after_s = REPEAT.first_s
        self._ack_at = inf
        self._frames_unacked = 0
        self._progress_at = -inf
        self.passage = Passage(journal)
        self.too_large: bytes | None = None
        self._fruitless_since = inf  # since then rows are sent, and none of them has come to the peer
        self._waits_most_bytes = inf if self.rows_wait() else 0.0  # no more than that waits

    def rows_wait(self) -> bool:
        """Tell whether there are messages that the peer has not acknowledged."""
        return self._newest[0] > self.acked[0]

    def waiting(self) -> int:
        """Return how many messages the peer has not acknowledged: their numbers are without gaps."""
        return self._newest[0] - self.acked[0]

    def put(self, message: LinkMessage, now: float) -> bool:
        """Put a message for the peer into the outbox; return whether too much waits for it there now.

        Raises:
            MessageTooLarge: No frame can hold it.
        """
        row_id = self._chance.new_id()
        body = encode_message(row_id, message)
        seq, _ = self._newest
        self._rows.add(self.peer, OutboxRow(seq + 1, row_id, body))
        self._newest = seq + 1, row_id
        if seq == self.acked[0]:
            self._progress_at, self._waits_most_bytes = now, 0.0
        self._waits_most_bytes += len(body)
        waiting = seq + 1 - self.acked[0]
        if waiting % WEIGH_EVERY:
            return False
        return waiting >= WAITING_MAX or self._weighs_too_much()

    def _weighs_too_much(self) -> bool:
        """Tell whether too many bytes wait; the rows are added up only where it could be so many."""
        if self._waits_most_bytes >= WAITING_MAX_BYTES:
            self._waits_most_bytes = self._rows.size_bytes(self.peer)
        return self._waits_most_bytes >= WAITING_MAX_BYTES

    # What arrives

    def receive(self, frame: Frame, now: float) -> tuple[tuple[msgspec.Raw, ...], bool]:
        """Take a frame; return the messages that are to be handled now, and whether the link was reset.

        The steps and their order are those of docs/protocol.md, "On a frame".
        """
        positions = self.acked, self.taken
        self._repeat_soon(now)
        answered = self._is_answered(frame)
        if answered:
            self.boot, self.has_answered = frame.boot, True
        else:
            self.heard_boot(frame.boot, now)
        if frame.speaks is not None:
            self.speaks = frame.speaks
        messages = self._take(frame, now) if frame.messages else ()
        was_reset = self._acknowledge(frame, answered, now)
        if answered and now >= self._fruitless_since + STUCK_AFTER_S:
            self._fruitless_since = now
            if self.passage.strike():
                self._refused(self._first_rows(now), now, is_certain=self.passage.is_narrow(now))
        if frame.ask is not None:
            others = [nonce for nonce in self._answers if nonce != frame.ask]
            self._answers = (*others, frame.ask)[-ANSWERS_MAX:]
            self.came_online()
        if (self.acked, self.taken) != positions:
            self._rows.save_positions(self.peer, self.acked, self.taken)
        return messages, was_reset

    def heard_boot(self, boot: str, now: float) -> None:
        """Note the peer's process; a new one is asked for its position."""
        if boot != self.boot:
            self.boot, self.speaks = boot, 1
            self.ask(now, anew=True)

    def came_online(self) -> None:
        """The peer is surely there: an open question is repeated."""
        if self.question is not None:
            self._owes_hello = True

    def connected(self, now: float) -> None:
        """Frames may have been lost: ask, and repeat a question that is open."""
        self.ask(now)
        self.came_online()

    def ask(self, now: float, *, anew: bool = False) -> None:
        """Open a question if none is open (`anew`: whether or not), and send a Hello."""
        if self.question is not None and not anew:
            return
        if self.question is None:
            self.asked_at = now
        self.question = self._chance.new_id()
        self._owes_hello = True
        self._repeat_after_s = REPEAT.first_s
        self._repeat_at = inf

    def _repeat_soon(self, now: float) -> None:
        if self.question is not None:
            self._repeat_at = min(self._repeat_at, now + REPEAT.first_s)

    def _is_answered(self, frame: Frame) -> bool:
        return frame.answer is not None and frame.answer == self.question

    def _take(self, frame: Frame, now: float) -> tuple[msgspec.Raw, ...]:
        """Return the messages that follow those taken before; at a gap there are none, and the peer is asked."""
        last = _first(frame) + len(frame.messages) - 1
        fresh: tuple[msgspec.Raw, ...] = ()
        if last >= self.taken[0]:
            last_id = decode_envelope(frame.messages[-1]).id
            if not last_id or not self._is_continued_by(frame):
                self.ask(now)
                return ()
            fresh = frame.messages[self.taken[0] - _first(frame) + 1 :]
            self.taken = (last, last_id)
        self._frames_unacked += 1
        self._ack_at = min(self._ack_at, now + ACK_WITHIN_S)
        return fresh

    def _is_continued_by(self, frame: Frame) -> bool:
        seq, known_id = self.taken
        index = seq - _first(frame)
        if index < -1:
            return False
        return known_id == (frame.prev if index == -1 else decode_envelope(frame.messages[index]).id)

    def _acknowledge(self, frame: Frame, answered: bool, now: float) -> bool:
        """Go by what the peer says to have taken; return whether the link was reset, since that fits nothing of ours.

        Only the answer to the open question resets: any other frame may be a late one. After a Hello that fits, what
        follows is sent again, as after an answer: its sender may have missed it. One that does not fit makes us ask.
        """
        if self.question is not None and not answered:
            return False
        matches = self._matches(frame.ack)
        if matches and frame.ack != self.acked:
            self._delete_upto(frame.ack, now)
        if answered:
            self._close_question(now)
        if answered and not matches:
            self._reset(frame.ack, now)
            return True
        if answered or (frame.ask is not None and matches):
            self._send_again_after(frame.ack)
        elif frame.ask is not None:
            self.ask(now)
        return False

    def _matches(self, ack: Position) -> bool:
        return ack == self.acked or self._rows.id_at(self.peer, ack[0]) == ack[1]

    def _delete_upto(self, ack: Position, now: float) -> None:
        self._rows.delete_upto(self.peer, ack[0])
        self.acked = ack
        self._progress_at = now
        self._fruitless_since = inf
        self.passage.progressed(now)
        self._sent_seq = max(self._sent_seq, ack[0])
        self._in_flight = tuple(seq for seq in self._in_flight if seq > ack[0])

    def _close_question(self, now: float) -> None:
        self.question, self.asked_at, self._repeat_at, self._owes_hello = None, inf, inf, False
        self._progress_at = now

    def _send_again_after(self, position: Position) -> None:
        self._sent_seq = position[0]
        self._in_flight = ()

    def _reset(self, position: Position, now: float) -> None:
        self._rows.delete_rows(self.peer)
        self.acked = self._newest = position
        self._fruitless_since = inf
        self._send_again_after(position)
        self.put(LinkReset(), now)

    # A broker that drops or cuts off what is large

    def cut_off(self, first: int, count: int, now: float) -> None:
        """The broker has cut us off for a frame of `count` messages from the seq `first` on."""
        rows = self._rows.above(self.peer, first - 1, MESSAGE_LIMIT_BYTES)[:count]
        if rows and rows[0].seq == first:
            self._refused(rows, now, is_certain=True)

    def begin_anew(self, now: float) -> None:
        """Begin our direction anew, since rows cannot leave: both sides reconcile."""
        self.too_large = None
        self._reset(self.acked, now)

    def _refused(self, rows: list[OutboxRow], now: float, *, is_certain: bool) -> None:
        size_bytes = sum(len(row.body) for row in rows)
        if size_bytes <= SURELY_PASSES_BYTES:
            return
        if len(rows) == 1 and is_certain:
            self.too_large = rows[0].body
        else:
            to_bytes = size_bytes // 2 if is_certain else ONE_MESSAGE_BYTES
            self.passage.narrow(size_bytes, to_bytes, now)
            self._send_again_after(self.acked)

    def _first_rows(self, now: float) -> list[OutboxRow]:
        return self._rows.above(self.peer, self.acked[0], self.passage.limit_bytes(MESSAGE_LIMIT_BYTES, now))

    # What leaves

    def frames(self, now: float, limit: int) -> Iterator[tuple[Frame, int]]:
        """Yield at most `limit` frames that are due, with their QoS; they must be published after the commit.

        Args:
            now: Seconds on the monotonic clock.
            limit: How many may be sent; the rest stays due.
        """
        self._look_at_timers(now)
        for frame, qos in self._due(now):
            if limit <= 0:
                return
            limit -= 1
            yield self._sent(frame, now), qos

    def next_due(self) -> float:
        """Return when `frames` should be called again because of the time alone."""
        due = min(self._ack_at, self._repeat_at)
        if self._owes_hello:
            due = min(due, self._hello_allowed_at)
        if self.question is None and self.rows_wait():
            due = min(due, self._progress_at + STUCK_AFTER_S)
        return due

    def has_more(self) -> bool:
        """Tell whether frames are due that `limit` kept back."""
        return bool(self._answers) or (len(self._in_flight) < self._window() and self._newest[0] > self._sent_seq)

    def _look_at_timers(self, now: float) -> None:
        if self.question is None and now >= self._progress_at + STUCK_AFTER_S and self.rows_wait():
            self.ask(now)
        if now >= self._repeat_at:
            self._owes_hello, self._repeat_at = True, inf

    def _due(self, now: float) -> Iterator[tuple[Frame, int]]:
        """Yield the frames that are due, with their QoS; `_sent` notes each before the next is asked for.

        So the window fills, and a frame that only acknowledges comes last and only if no other has carried that.
        """
        if self._owes_hello and now >= self._hello_allowed_at:
            yield self._frame(ask=self.question, speaks=MESSAGE_VERSION), 0
        for nonce in self._answers:
            yield self._frame(answer=nonce, speaks=MESSAGE_VERSION), 0
        limit_bytes = self.passage.limit_bytes(MESSAGE_LIMIT_BYTES, now)
        while (
            len(self._in_flight) < self._window()
            and self._sent_seq < self._newest[0]
            and (rows := self._rows.above(self.peer, self._sent_seq, limit_bytes))
        ):
            bodies = tuple(msgspec.Raw(row.body) for row in rows)
            yield self._frame(first=rows[0].seq, prev=self._id_before(rows[0].seq), messages=bodies), 1
        if now >= self._ack_at or self._frames_unacked >= WINDOW_FRAMES // 2:
            yield self._frame(), 0

    def _window(self) -> int:
        return 1 if self.passage.in_doubt else WINDOW_FRAMES

    def _id_before(self, seq: int) -> str:
        before = self._rows.id_before(self.peer, seq)
        return self.acked[1] if before is None else before

    def _frame(self, **parts: object) -> Frame:
        facts = {"v": LINK_VERSION, "from_": self._me, "to": self.peer, "boot": self._own_boot, "ack": self.taken}
        return Frame(**facts, **parts)  # type: ignore[arg-type]

    def _sent(self, frame: Frame, now: float) -> Frame:
        self._ack_at, self._frames_unacked = inf, 0
        if frame.ask is not None:
            self._owes_hello, self._hello_allowed_at = False, now + HELLO_EVERY_S
            self._repeat_at = now + REPEAT.jittered(self._repeat_after_s, self._chance.random())
            self._repeat_after_s = REPEAT.after(self._repeat_after_s)
        elif frame.answer is not None:
            self._answers = tuple(nonce for nonce in self._answers if nonce != frame.answer)
        elif frame.messages:
            self._sent_seq = _first(frame) + len(frame.messages) - 1
            self._fruitless_since = min(self._fruitless_since, now)
            self._in_flight = (*self._in_flight, self._sent_seq)
        return frame


def _first(frame: Frame) -> int:
    assert frame.first is not None  # the codec lets no messages through without it
    return frame.first
