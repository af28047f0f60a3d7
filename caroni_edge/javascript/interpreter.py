"""Has scripts run by the helper process, one after the other.

The helper may die over a script, or be killed: another one is started, and the script is asked again. One over which it
dies each time has no answer but that.
"""

import importlib.util
import json
import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caroni_edge.base.frozen import is_frozen, program
from caroni_edge.javascript.helper import MISSING, TOO_LONG

log = logging.getLogger(__name__)

TRIES = 10
"""A script over which the helper dies is tried so often."""
WITHIN_S = 60.0
"""A script has little CPU time, which on a busy host may take long; one that takes longer than this is ended."""

ENDS_WITHIN_S = 2.0
_PIECE_BYTES = 1 << 16
_PASSED_ON = ("PATH", "TMPDIR")

SUBCOMMAND = "javascript"
"""By this argument alone the program that needs no Python is the helper (`packaging/pyinstaller/entry.py`)."""

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


class TookTooLong(Exception):
    """The helper was ended, by us or by the kernel, since a script took too long."""


def is_installed() -> bool:
    """Tell whether this platform has an engine, without loading it."""
    return importlib.util.find_spec("quickjs") is not None


def helper_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the helper gets of an environment: no secret."""
    return {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("PYTHON")}


def helper_command() -> list[str]:
    """Return what starts the helper: Python, or the one binary that holds everything."""
    return [*program(), SUBCOMMAND] if is_frozen() else program("caroni_edge.javascript")


class Interpreter:
    """The helper process, which is there from the first script on. One thread asks; any may `close` it."""

    def __init__(self, command: Sequence[str] | None = None, within_s: float = WITHIN_S) -> None:
        """Prepare.

        Args:
            command: What starts the helper; None for the one of this program.
            within_s: A script that takes longer is ended.
        """
        self._command, self._within_s = list(command or helper_command()), within_s
        self._helper: subprocess.Popen[bytes] | None = None
        self._is_served = True
        self._closed = threading.Event()
        self._is_asked = False

    def answer(self, script: Script) -> Answer:
        """Run a script, and return what it gives."""
        self._is_asked = True
        try:
            return self._answer(script)
        finally:
            self._is_asked = False

    def _answer(self, script: Script) -> Answer:
        why = ""
        for _ in range(TRIES):
            try:
                return self._answer_once(script)
            except TookTooLong:
                self.end(within_s=0.0)
                return Answer(error=TOO_LONG)
            except (Died, OSError) as error:
                why = str(error)
                log.warning("the JavaScript helper has ended: %s", why, extra={"action": "javascript_ended"})
                self.end()
            if self._closed.is_set():
                break
        return Answer(error=f"the JavaScript helper has ended over it {TRIES} times: {why}")

    def close(self) -> None:
        """Let what is being asked have no answer; a helper that is asked nothing ends by itself."""
        self._closed.set()
        helper = self._helper
        if helper is None:
            return
        if self._is_asked:
            helper.kill()
        elif helper.stdin is not None:
            helper.stdin.close()

    def end(self, within_s: float = ENDS_WITHIN_S) -> None:
        """End the helper, which ends by itself when it is asked nothing more; the next script starts another one.

        Args:
            within_s: So long it has for that: one file that unpacks itself wants to clean up.
        """
        helper, self._helper = self._helper, None
        if helper is None:
            return
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.close()
        try:
            helper.wait(within_s)
        except subprocess.TimeoutExpired:
            helper.kill()
            helper.wait()
        helper.stdout.close()

    def _answer_once(self, script: Script) -> Answer:
        helper = self._helper or self._start()
        if not self._is_served:
            return Answer(error=NOT_SERVED)
        return Answer(**self._say(helper, json.dumps(vars(script)).encode() + b"\n"))

    def _start(self) -> subprocess.Popen[bytes]:
        helper = self._helper = subprocess.Popen(
            self._command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=helper_environment(os.environ),
        )
        self._is_served = self._say(helper, b"").get("state") != MISSING
        return helper

    def _say(self, helper: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
        """Write a line to the helper, and return what it answers.

        Raises:
            Died: It has not answered, or no JSON.
            TookTooLong: It had to be ended.
        """
        until = time.monotonic() + self._within_s
        try:
            said = _exchange(helper, line, until)
            answer: dict[str, Any] = json.loads(said or b"null") or {}
            if not answer and helper.wait(max(0.0, until - time.monotonic())) == -signal.SIGXCPU:
                raise TookTooLong
        except (TimeoutError, subprocess.TimeoutExpired):
            raise TookTooLong from None
        except (OSError, ValueError) as error:
            raise Died(str(error)) from None
        if not answer:
            raise Died(f"it ended with status {helper.returncode}")
        return answer


def _exchange(helper: subprocess.Popen[bytes], line: bytes, until: float) -> bytes:
    """Write a line, and return the one that comes back; nothing where the helper takes or says nothing any more.

    Raises:
        TimeoutError: It has not come by then.
    """
    assert helper.stdin is not None
    assert helper.stdout is not None
    told, heard = helper.stdin.fileno(), helper.stdout.fileno()
    os.set_blocking(told, False)
    looked_at = select.poll()
    looked_at.register(heard, select.POLLIN)
    if line:
        looked_at.register(told, select.POLLOUT)
    left, said = memoryview(line), b""
    while not said.endswith(b"\n"):
        ready = dict(looked_at.poll(max(0.0, until - time.monotonic()) * 1000))
        if not ready:
            raise TimeoutError
        if told in ready:
            try:
                left = left[os.write(told, left) :]
            except BrokenPipeError:
                return b""
            if not left:
                looked_at.unregister(told)
        if heard in ready:
            piece = os.read(heard, _PIECE_BYTES)
            if not piece:
                return b""
            said += piece
    return said
