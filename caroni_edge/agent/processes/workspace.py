"""The directories of jobs: made with the inputs before the start, and deleted with all that is in them."""

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from caroni_edge.agent.jobtypes import Command, JobType
from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.records import JOBS, OUTPUTS, RECORD, WORK
from caroni_edge.agent.keeper.trees import MARK
from caroni_edge.agent.processes.trash import Trash
from caroni_edge.protocol.messages import Values
from caroni_edge.values.json import canonical

INPUTS = "inputs.json"
SCRIPTS = "scripts"

VARIABLE_LIMIT_BYTES = 128 * 1024
"""No string that is longer, with its name and its end, is passed on by the kernel (MAX_ARG_STRLEN, execve(2))."""

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")

PASSED_ON = (b"PATH", b"HOME", b"LANG", b"TZ")
"""What a job gets of the agent's own environment."""


log = logging.getLogger(__name__)


class StartedBefore(Exception):
    """The job has a start record, so its directory must stay as it is."""


def make_roots(state_dir: Path) -> None:
    """Make what holds the directories of jobs, and their scripts, where a state directory has none yet.

    Raises:
        OSError: They cannot be made.
    """
    for name in (JOBS, SCRIPTS):
        os.makedirs(state_dir / name, mode=0o700, exist_ok=True)


class Workspaces:
    """Makes and deletes the directories of jobs."""

    def __init__(self, state_dir: Path, trash: Trash, environ: Mapping[bytes, bytes]) -> None:
        """Use a state directory.

        Args:
            state_dir: The agent's; absolute.
            trash: Where directories go that are not needed any more.
            environ: The agent's own environment, of which jobs get a little.
        """
        self._jobs, self._scripts, self._trash = f"{state_dir}/{JOBS}", f"{state_dir}/{SCRIPTS}", trash
        self._written: set[str] = set()
        self._environment = {
            name.decode(): environ[name].decode("utf-8", "surrogateescape") for name in PASSED_ON if name in environ
        }
        make_roots(state_dir)

    def make(
        self, job: str, job_type: JobType, inputs: Values, facts: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        """Make the directory of a job; return what to run in it, and with which environment.

        Args:
            job: Its name.
            job_type: What runs it.
            inputs: All of them; they fit.
            facts: Variables of its environment that say what it is about.

        Raises:
            StartedBefore: The job was started before.
            OSError: It cannot be made.
        """
        path = f"{self._jobs}/{job}"
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            with files.opened(path) as directory:
                if os.path.lexists(f"{directory}/{RECORD}"):
                    raise StartedBefore from None
            # An agent that died before it asked for the start has left it.
            self.remove(job)
            os.mkdir(path, 0o700)
        os.mkdir(f"{path}/{WORK}", 0o700)
        files.write_new(f"{path}/{INPUTS}", canonical(inputs).encode())
        files.write_new(f"{path}/{OUTPUTS}", b"")
        environment = {
            **self._environment,
            **job_type.environment,
            **facts,
            **dict(_variables(inputs)),
            "CARONI_INPUTS": f"{path}/{INPUTS}",
            MARK: f"{path}/{OUTPUTS}",
        }
        program, *arguments = self._what_runs(job_type)
        return [_found(program, environment.get("PATH")), *arguments], environment

    def _what_runs(self, job_type: JobType) -> tuple[str, ...]:
        """Return the program and its arguments; all jobs of one version of a job type share the file of its script."""
        if isinstance(job_type.runs, Command):
            return job_type.runs.argv
        path = f"{self._scripts}/{job_type.version}"
        if job_type.version not in self._written:
            # What is there may have been cut by a power cut, and a job may be reading it.
            files.replace(path, job_type.runs.text.encode())
            self._written.add(job_type.version)
        return (*job_type.runs.interpreter, path)

    def remove(self, job: str) -> None:
        """Give a job's directory to the trash, which deletes it.

        Raises:
            OSError: It cannot be moved there.
        """
        self._trash.take(f"{self._jobs}/{job}")


def unset_variables(inputs: Values) -> list[str]:
    """Return, for people, which inputs have no environment variable although they have a value, and why."""
    return [
        f"{variable} is unset: its value {why}; it is whole in the file $CARONI_INPUTS"
        for variable, text in _texts(inputs)
        if (why := _why_unset(variable, text))
    ]


def _variables(inputs: Values) -> Iterator[tuple[str, str]]:
    """Yield an environment variable for each input that one can hold."""
    return ((variable, text) for variable, text in _texts(inputs) if not _why_unset(variable, text))


def _texts(inputs: Values) -> Iterator[tuple[str, str]]:
    """Yield each input that has a value, and a name that a variable can have; the others are in the file alone."""
    for name, value in inputs.items():
        if value is not None and _NAME.match(name):
            yield f"CARONI_ENV_{name}", value if isinstance(value, str) else canonical(value)


def _why_unset(variable: str, text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character, which no variable can"
    if len(f"{variable}={text}\0".encode()) > VARIABLE_LIMIT_BYTES:
        return f"is longer than a variable can be ({VARIABLE_LIMIT_BYTES >> 10} KiB)"
    return None


def _found(program: str, path: str | None) -> str:
    """Return the path of a program that was named without one; where there is none, its start fails and says so."""
    return program if "/" in program else shutil.which(program, path=path) or program
