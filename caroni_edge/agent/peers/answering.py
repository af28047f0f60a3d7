"""Long answers to managers: they go piece by piece, a few in each batch, and wait while their manager takes nothing."""

from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Generic, Protocol, TypeVar

from caroni_edge.agent.context import Context
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

MESSAGES_AT_ONCE = 8
WAITING_MAX, LOOK_AGAIN_S = 256, 1.0
"""While so many messages wait for a manager its answer is held, and looked at again after this time."""


class OpenAnswer(Protocol):
    """An answer that is not complete."""

    @property
    def manager(self) -> str:
        """Who gets it."""


AnswerT = TypeVar("AnswerT", bound=OpenAnswer)


class Answering(Part, Generic[AnswerT]):
    """Puts the pieces of answers into the outbox, whose rows say how far each is: it goes on after a restart."""

    def __init__(self, context: Context) -> None:
        """Put what is said into the outbox of `context`."""
        super().__init__(context.journal)
        self._outbox = context.outbox
        self._due = inf

    @abstractmethod
    def open_answers(self) -> Sequence[AnswerT]:
        """Return the answers that are not complete."""

    @abstractmethod
    def say_next(self, answer: AnswerT) -> AnswerT | None:
        """Put the next piece of an answer into the outbox, and return what is left of it; None after the last."""

    def settle(self, at: Moment) -> None:
        """Put the next pieces of the answers into the outbox."""
        answers = self.open_answers()
        for answer in answers:
            self._say_to(answer)
        left = self.open_answers() if answers else ()
        is_held = all(self._is_held(answer.manager) for answer in left)
        self._due = inf if not left else at.now + LOOK_AGAIN_S if is_held else -inf

    def next_due(self) -> float:
        """Return when to go on: at once while an answer has more pieces, and its manager takes them."""
        return self._due

    def _say_to(self, answer: AnswerT) -> None:
        left: AnswerT | None = answer
        for _ in range(MESSAGES_AT_ONCE):
            if left is None or self._is_held(answer.manager):
                return
            left = self.say_next(left)

    def _is_held(self, manager: str) -> bool:
        return self._outbox.waiting(manager) >= WAITING_MAX
