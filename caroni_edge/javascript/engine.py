"""Asks the helper process: one script after the other, in a thread of its own; answers are delivered as they come.

The helper may die over a script, or be killed: another one is started, and the script is asked again. One over which it
dies each time fails, and the next is asked.
"""

import json
import logging
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Any

from caroni_edge.base.frozen import program
from caroni_edge.javascript.helper import MISSING, TOO_LONG

log = logging.getLogger(__name__)

TRIES = 10
"""So often a script is asked over which the helper dies."""
WITHIN_S = 60.0
"""A script has little CPU time, which on a busy host may take long; one that takes longer than this is ended."""

NOT_SERVED = "JavaScript is not served on this platform: the package quickjs-ng is not installed"


@dataclass(frozen=True)
class Script:
    """A script: the body of a function, and what it sees.

    Attributes:
        body: What is run; it returns the value.
        names: The names that it sees, with their values.
        library: What runs before, in order.
        date_ms: What the time is, as JavaScript counts it.
        seed: What chance begins with.
    """

    body: str
    names: Mapping[str, Any]
    library: Sequence[str] = ()
    date_ms: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What a script gives.

    Attributes:
        value: As JSON has it; None where there is an error, too.
        error: Why it gives nothing, for people.
    """

    value: Any = None
    error: str | None = None


class Died(Exception):
    """The helper has ended without an answer."""


class EndedIt(Exception):
    """The helper was ended, by us or by the kernel, since a script took too long."""


class Engine:
    """Runs scripts in the helper process. `run` is the work of a thread; the rest may be called by any.

    Attributes:
        is_served: Whether there is an engine; None until the helper has said so.
    """

    def __init__(
        self,
        deliver: Callable[[str, Answer], None],
        command: Sequence[str] | None = None,
        within_s: float = WITHIN_S,
    ) -> None:
        """Prepare.

        Args:
            deliver: Gets each answer, with the name that it was asked by.
            command: What starts the helper; None for the one of this program.
            within_s: A script that takes longer is ended.
        """
        self._within_s = within_s
        self._deliver = deliver
        self._command = list(command or program("caroni_edge.javascript"))
        self._asked: SimpleQueue[tuple[str, Script] | None] = SimpleQueue()
        self._helper: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        self.is_served: bool | None = None

    def ask(self, name: str, script: Script) -> None:
        """Let a script be run; its answer is delivered under this name."""
        self._asked.put((name, script))

    def run(self) -> None:
        """Run what is asked for, until `close`."""
        try:
            while (item := self._asked.get()) is not None and not self._closed.is_set():
                name, script = item
                self._deliver(name, self._answer(script))
        finally:
            self._end()

    def close(self) -> None:
        """Have `run` return; what has not been answered will not be."""
        self._closed.set()
        self._asked.put(None)
        helper = self._helper
        if helper is not None:
            helper.kill()

    def _answer(self, script: Script) -> Answer:
        why = ""
        for _ in range(TRIES):
            try:
                return self._answer_once(script)
            except EndedIt:
                self._end()
                return Answer(error=TOO_LONG)
            except (Died, OSError) as error:
                why = str(error)
                log.warning("the JavaScript helper has ended: %s", why, extra={"action": "javascript_ended"})
                self._end()
            if self._closed.is_set():
                break
        return Answer(error=f"the JavaScript helper has ended over it {TRIES} times: {why}")

    def _answer_once(self, script: Script) -> Answer:
        helper = self._helper or self._start()
        if self.is_served is False:
            return Answer(error=NOT_SERVED)
        return Answer(**self._say(helper, json.dumps(asdict(script)).encode() + b"\n"))

    def _start(self) -> subprocess.Popen[bytes]:
        helper = self._helper = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.is_served = self._say(helper, b"").get("state") != MISSING
        return helper

    def _say(self, helper: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
        """Write a line to the helper, and return what it answers.

        Raises:
            Died: It has not answered, or no JSON.
            EndedIt: It had to be ended.
        """
        too_late = threading.Event()

        def end() -> None:
            too_late.set()
            helper.kill()

        watch = threading.Timer(self._within_s, end)
        watch.daemon = True
        watch.start()
        try:
            assert helper.stdin is not None
            assert helper.stdout is not None
            helper.stdin.write(line)
            helper.stdin.flush()
            answer: dict[str, Any] = json.loads(helper.stdout.readline() or b"null") or {}
        except (OSError, ValueError) as error:
            raise Died(str(error)) from None
        finally:
            watch.cancel()
        if not answer and (helper.wait() == -signal.SIGXCPU or too_late.is_set()):
            raise EndedIt
        if not answer:
            raise Died(f"it ended with status {helper.returncode}")
        return answer

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.kill()
            helper.communicate()
