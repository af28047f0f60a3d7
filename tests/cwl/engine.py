"""Lets cwltool run JavaScript by our engine, in the place of Node.js."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cwl_utils.errors import JavascriptException
from cwl_utils.sandboxjs import NodeJSEngine, get_js_engine, set_js_engine

from caroni_edge.javascript.interpreter import Interpreter, Script


class OurEngine(NodeJSEngine):
    """References are theirs; JavaScript is run by the helper process."""

    def __init__(self, interpreter: Interpreter) -> None:
        """Run scripts by `interpreter`."""
        super().__init__()
        self._interpreter = interpreter

    def eval(self, scan: str, jslib: str = "", *_arguments: Any, **_named: Any) -> Any:
        """Return what a script gives; `jslib` is all that it sees."""
        body = scan[1:-1] if scan.startswith("{") else f"return {scan};"
        answer = self._interpreter.answer(Script(body, {}, (jslib,)))
        if answer.error is not None:
            raise JavascriptException(answer.error)
        return answer.value


@contextmanager
def our_engine() -> Iterator[Interpreter]:
    """Let cwltool use it; gives what runs the scripts."""
    interpreter, theirs = Interpreter(), get_js_engine()
    set_js_engine(OurEngine(interpreter))
    try:
        yield interpreter
    finally:
        set_js_engine(theirs)
        interpreter.end()
