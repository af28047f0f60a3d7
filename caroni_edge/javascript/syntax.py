"""Finds syntax errors in scripts without running them; the helper process that runs scripts looks for them."""

import json
from collections.abc import Sequence

from caroni_edge.javascript.interpreter import Answer, Interpreter, Script

_READ = """
return texts.map(function (text) {
  try { new Function(text); } catch (problem) { return String(problem); }
  return null;
});"""


class Reader:
    """Reads scripts; a helper is there from the first one on, until the end of the block."""

    def __init__(self) -> None:
        """Begin without a helper."""
        self._interpreter = Interpreter()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_error: object) -> None:
        self._interpreter.end()

    def mistakes(self, bodies: Sequence[str]) -> list[str | None]:
        """Return of each body of a function what is wrong with it, for people, or None."""
        strict = [f'"use strict";\n{body}' for body in bodies]
        answer = self._interpreter.answer(Script(_READ, {"texts": strict}))
        return answer.value if answer.error is None else [self._alone(body) for body in strict]

    def _alone(self, body: str) -> str | None:
        answer: Answer = self._interpreter.answer(Script(f"new Function({json.dumps(body)});", {}))
        return answer.error
