"""Works out expressions of steps in a thread: JavaScript by the helper process, and what looks into objects."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from caroni_edge.javascript.engine import Engine, Run
from caroni_edge.javascript.interpreter import Script
from caroni_edge.javascript.texts import ExpressionProblem, JavaScript
from caroni_edge.manager.workflows.evaluations import Evaluation, Outcome, work_out
from caroni_edge.manager.workflows.inputs import RunScript
from caroni_edge.manager.workflows.loading import Read, no_objects
from caroni_edge.values.files import with_names_of_files
from caroni_edge.values.json import why_not_json

SHOWN_MAX_CHARS = 200


class Evaluator:
    """Works out what it is asked for, of each workflow in turn. `run` is the work of a thread; any may call others."""

    def __init__(self, deliver: Callable[[Outcome], object], read: Read = no_objects) -> None:
        """Give each outcome to `deliver`; `read` returns what is in objects into which expressions look."""
        self._read = read
        self._engine: Engine[Outcome] = Engine(deliver)

    def ask(self, evaluation: Evaluation) -> None:
        """Have expressions worked out."""
        self._engine.ask(lambda run: work_out(evaluation, scripts_of(evaluation, run), self._read), evaluation.workflow)

    def run(self) -> None:
        """Work out what is asked for, until `close`."""
        self._engine.run()

    def close(self) -> None:
        """Have `run` return; what has not been worked out is asked for again by the next process."""
        self._engine.close()


def scripts_of(evaluation: Evaluation, run: Run) -> RunScript:
    """Return what runs the JavaScript of a step: with the libraries, the time and the chance that it has there."""

    def value(where: str, library: int, script: JavaScript, inputs: Mapping[str, Any], self_value: Any) -> Any:
        answer = run(
            Script(
                body=script.body,
                names=with_names_of_files({"inputs": inputs, "self": self_value, "runtime": {}}),
                library=evaluation.libraries[library],
                date_ms=int(evaluation.date * 1000),
                seed=zlib.crc32(f"{evaluation.key}/{where}".encode()),
            )
        )
        problem = answer.error or why_not_json(answer.value)
        if problem is not None:
            raise ExpressionProblem(f"{where}: {_shown(script.text)}: {problem}")
        return answer.value

    return value


def _shown(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= SHOWN_MAX_CHARS else f"{words[:SHOWN_MAX_CHARS]}…"
