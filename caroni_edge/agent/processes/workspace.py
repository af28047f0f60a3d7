"""The directories of jobs: made with the inputs before the start, and deleted with all that is in them."""

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from caroni_edge.agent.jobtypes import Command, JobType
from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.records import JOBS, OUTPUTS, RECORD, WORK
from caroni_edge.agent.keeper.trees import MARK
from caroni_edge.agent.processes.staging import Lender, stage
from caroni_edge.agent.processes.trash import Trash
from caroni_edge.protocol.messages import Values
from caroni_edge.values.files import FileType
from caroni_edge.values.json import canonical

INPUTS = "inputs.json"
SCRIPTS = "scripts"

VARIABLE_LIMIT_BYTES = 128 * 1024
"""No string that is longer, with its name and its end, is passed on by the kernel (MAX_ARG_STRLEN, execve(2))."""

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")

_OURS = stat.S_IRUSR | stat.S_IWUSR
_READ_BY_ALL = _OURS | stat.S_IRGRP | stat.S_IROTH

PASSED_ON = (b"PATH", b"HOME", b"LANG", b"TZ")
"""What a job gets of the agent's own environment."""


log = logging.getLogger(__name__)


class Launch(NamedTuple):
    """What a job runs.

    Attributes:
        argv: The program and its arguments.
        environment: All variables.
        notes: What the job's log is to say.
    """

    argv: list[str]
    environment: dict[str, str]
    notes: list[str]


class StartedBefore(Exception):
    """The job has a start record, so its directory must stay as it is."""


def make_roots(state_dir: Path) -> None:
    """Make what holds the directories of jobs, and their scripts, where a state directory has none yet.

    Raises:
        OSError: They cannot be made.
    """
    for name in (JOBS, SCRIPTS):
        os.makedirs(state_dir / name, mode=0o700, exist_ok=True)


def open_roots(state_dir: Path) -> None:
    """Let users of other ids get to what is theirs in there, and to scripts; they can list neither.

    Raises:
        OSError: It cannot be.
    """
    for name in (JOBS, SCRIPTS):
        os.chmod(state_dir / name, stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH)  # noqa: S103 - to get through, not to look


class Workspaces:
    """Makes and deletes the directories of jobs."""

    def __init__(
        self, state_dir: Path, trash: Trash, environ: Mapping[bytes, bytes], *, for_others: bool = False
    ) -> None:
        """Use a state directory.

        Args:
            state_dir: The agent's; absolute.
            trash: Where directories go that are not needed any more.
            environ: The agent's own environment, of which jobs get a little.
            for_others: Jobs have other user ids than the agent.
        """
        self._script_mode = _READ_BY_ALL if for_others else _OURS
        self._jobs, self._scripts, self._trash = f"{state_dir}/{JOBS}", f"{state_dir}/{SCRIPTS}", trash
        self._written: set[str] = set()
        self._environment = {
            name.decode(): environ[name].decode("utf-8", "surrogateescape") for name in PASSED_ON if name in environ
        }
        make_roots(state_dir)

    def make(self, job: str, job_type: JobType, inputs: Values, facts: Mapping[str, str], lender: Lender) -> Launch:
        """Make the directory of a job, with the files of its inputs; return what to run in it.

        Args:
            job: Its name.
            job_type: What runs it.
            inputs: All of them; they fit.
            facts: Variables of its environment that say what it is about.
            lender: Has the objects among them.

        Raises:
            StartedBefore: The job was started before.
            OSError: It cannot be made.
            Damaged: An object among the inputs is.
            NoRoom: The disk has no room for one.
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
        staged = stage(path, job_type.inputs, inputs, lender)
        texts = dict(_texts(job_type, staged))
        files.write_new(f"{path}/{INPUTS}", canonical(staged).encode())
        files.write_new(f"{path}/{OUTPUTS}", b"")
        environment = {
            **self._environment,
            **job_type.environment,
            **facts,
            **{variable: text for variable, text in texts.items() if not _why_unset(variable, text)},
            "CARONI_INPUTS": f"{path}/{INPUTS}",
            MARK: f"{path}/{OUTPUTS}",
        }
        program, *arguments = self._what_runs(job_type)
        argv = [_found(program, environment.get("PATH")), *arguments]
        return Launch(argv, environment, list(_unset(texts)))

    def _what_runs(self, job_type: JobType) -> tuple[str, ...]:
        """Return the program and its arguments; all jobs of one version of a job type share the file of its script."""
        if isinstance(job_type.runs, Command):
            return job_type.runs.argv
        path = f"{self._scripts}/{job_type.version}"
        if job_type.version not in self._written:
            # What is there may have been cut by a power cut, and a job may be reading it.
            files.replace(path, job_type.runs.text.encode())
            os.chmod(path, self._script_mode)
            self._written.add(job_type.version)
        return (*job_type.runs.interpreter, path)

    def remove(self, job: str) -> None:
        """Give a job's directory to the trash, which deletes it.

        Raises:
            OSError: It cannot be moved there.
        """
        self._trash.take(f"{self._jobs}/{job}")


def _texts(job_type: JobType, inputs: Values) -> Iterator[tuple[str, str]]:
    """Yield a variable for each input that has a value, and a name that one can have; others are in the file alone.

    It holds a text as it is, of a file its path, anything else as JSON.
    """
    of_files = {name for name, kind in job_type.inputs.items() if isinstance(kind.required, FileType)}
    for name, value in inputs.items():
        if value is not None and _NAME.match(name):
            text = value["path"] if name in of_files else value
            yield f"CARONI_ENV_{name}", text if isinstance(text, str) else canonical(text)


def _unset(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield, for people, which inputs have no variable although they have a value, and why."""
    for variable, text in texts.items():
        if why := _why_unset(variable, text):
            yield f"{variable} is unset: its value {why}; it is whole in the file $CARONI_INPUTS"


def _why_unset(variable: str, text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character, which no variable can"
    if len(f"{variable}={text}\0".encode()) > VARIABLE_LIMIT_BYTES:
        return f"is longer than a variable can be ({VARIABLE_LIMIT_BYTES >> 10} KiB)"
    return None


def _found(program: str, path: str | None) -> str:
    """Return the path of a program that was named without one; where there is none, its start fails and says so."""
    return program if "/" in program else shutil.which(program, path=path) or program
