"""The errors that people see: what happened, where, and what to do.

Each error class is a sentence (its docstring, with facts filled in) and a hint. `where` names the file and line, the
topic or the job. A command line shows ``where: sentence`` and the hint below it; no traceback reaches a user.
"""

from inspect import cleandoc
from typing import ClassVar


class CaroniError(Exception):
    """Something failed that has no better name."""

    hint: ClassVar[str] = "See the log of this node."
    exit_status: ClassVar[int] = 1

    def __init__(self, where: str, **facts: object) -> None:
        """Fill the class's sentence and hint.

        Args:
            where: File and line, topic, job or command that the error is about; may be empty.
            facts: Values for the placeholders of the docstring and of the hint.
        """
        self.where = where
        self.facts = facts
        self.sentence = cleandoc(type(self).__doc__ or "").format(**facts)
        self.advice = type(self).hint.format(**facts)
        super().__init__(f"{where}: {self.sentence}" if where else self.sentence)


class UsageError(CaroniError):
    """{what}."""

    hint = "{hint}"
    exit_status = 2

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        """Say what is wrong with a command or a configuration, in words made on the spot."""
        super().__init__(where, what=what, hint=hint)
