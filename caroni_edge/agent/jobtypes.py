"""The job types that the host's owner allows: a YAML file each, whose problems are all told at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from caroni_edge.agent import jobtype_keys
from caroni_edge.agent.boxes.wanted import SECTION, Sandbox, read_sandbox
from caroni_edge.agent.jobtype_keys import INTERPRETER
from caroni_edge.agent.limits import Limits, read_limits
from caroni_edge.agent.needs import NEEDS, PARALLEL, read_needs, read_parallel
from caroni_edge.agent.secrets import SECRETS, Source, read_secrets
from caroni_edge.base.text import is_unicode
from caroni_edge.documents.documents import Document, Findings, Problem, Problems, in_order, load, parse
from caroni_edge.protocol.fields import is_segment
from caroni_edge.values.json import hash_of, shown
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.types import Type

SUFFIXES = (".yaml", ".yml")

_KEYS = jobtype_keys.names()
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}\Z")
_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,80}\Z")
_OURS = "CARONI_"


@dataclass(frozen=True, slots=True)
class Command:
    """A program that a job runs, and its arguments."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A text that a job runs.

    Attributes:
        text: What the interpreter gets as a file.
        interpreter: Argument list; the path of that file follows it.
    """

    text: str
    interpreter: tuple[str, ...] = INTERPRETER


@dataclass(frozen=True)
class JobType:
    """What a host's owner lets managers ask for.

    Attributes:
        name: A topic segment (`protocol.messages.is_segment`).
        inputs: Types of the inputs, by name.
        outputs: Types of the outputs, by name.
        runs: What its jobs run.
        environment: Variables of the job beside those that every job has.
        limits: What it may use.
        repeat: Whether it may be run again by itself once it may have begun.
        sandbox: What its jobs are to be locked into.
        needs: How much a job holds of the host's resources while it runs.
        secrets: Where the secrets are that its jobs get, by name.
        parallel: How many of its jobs may run at a time; None: as many as slots.
        path: The file that it was read from.
        source: The text of that file.
        version: Hash of the content: it differs between any two job types that run something different.
    """

    name: str
    inputs: Mapping[str, Type]
    outputs: Mapping[str, Type]
    runs: Command | Script
    environment: Mapping[str, str]
    limits: Limits
    repeat: bool
    path: Path
    sandbox: Sandbox = field(default_factory=Sandbox)
    needs: Mapping[str, int] = field(default_factory=dict)
    parallel: int | None = None
    secrets: Mapping[str, Source] = field(default_factory=dict)
    source: str = field(default="", repr=False, compare=False)
    version: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Hash the content: all but the path, and how it is written."""
        content: dict[str, Any] = {
            "name": self.name,
            "inputs": {name: kind.spec for name, kind in self.inputs.items()},
            "outputs": {name: kind.spec for name, kind in self.outputs.items()},
            "command": self.runs.argv if isinstance(self.runs, Command) else None,
            "script": self.runs.text if isinstance(self.runs, Script) else None,
            "interpreter": self.runs.interpreter if isinstance(self.runs, Script) else INTERPRETER,
            "environment": dict(self.environment),
            "limits": asdict(self.limits),
            "repeat": self.repeat,
        }
        if sandbox := self.sandbox.content():
            content[SECTION] = sandbox
        if self.needs:
            content[NEEDS] = dict(self.needs)
        if self.secrets:
            content[SECRETS] = {name: asdict(source) for name, source in self.secrets.items()}
        if self.parallel is not None:
            content[PARALLEL] = self.parallel
        object.__setattr__(self, "version", hash_of(content)[:16])


@dataclass(frozen=True)
class JobTypes:
    """The job types of a directory.

    Attributes:
        loaded: The job types by name, sorted.
        errors: Why the job types (or files) of these names could not be taken; a name in both has its earlier version.
    """

    loaded: Mapping[str, JobType]
    errors: Mapping[str, tuple[Problem, ...]]

    def get(self, name: str) -> JobType | None:
        """Return a job type, or None."""
        return self.loaded.get(name)

    def names(self) -> list[str]:
        """Return the names of what is loaded."""
        return list(self.loaded)

    def only(self, why_not: Callable[[JobType], str]) -> "JobTypes":
        """Return those of which `why_not` gives an empty text; of the others it says why they cannot be taken."""
        wrong = {name: why for name, each in self.loaded.items() if (why := why_not(each))}
        errors = {name: (Problem(str(self.loaded[name].path), why),) for name, why in wrong.items()}
        loaded = {name: each for name, each in self.loaded.items() if name not in wrong}
        return JobTypes(loaded, {**self.errors, **errors})


def load_job_type(path: Path) -> JobType:
    """Read a job type.

    Raises:
        Problems: All that is wrong with the file.
    """
    return _Reader(load(path)).job_type()


def parse_job_type(text: str, path: Path) -> JobType:
    """Read a job type from text, as if it stood in the file at `path`.

    Raises:
        Problems: All that is wrong with the text.
    """
    return _Reader(parse(text, path)).job_type()


def load_job_types(directory: Path, before: JobTypes | None = None) -> JobTypes:
    """Read all job types of a directory; a broken one is left out.

    Args:
        directory: Its files `*.yaml` and `*.yml` are job types.
        before: What was loaded until now: a broken job type keeps the version that it has there.

    Raises:
        Problems: The directory itself cannot be read.
    """
    found: dict[str, list[JobType]] = {}
    errors: dict[str, list[Problem]] = {}
    earlier = {job_type.path: job_type for job_type in before.loaded.values()} if before else {}
    for path in _files(directory):
        try:
            job_type = load_job_type(path)
        except Problems as problems:
            name = earlier[path].name if path in earlier else path.stem
            errors.setdefault(name, []).extend(problems.problems)
        else:
            found.setdefault(job_type.name, []).append(job_type)
    for name, same in found.items():
        if len(same) > 1:
            errors.setdefault(name, []).extend(_twice(name, same))
    loaded = {name: same[0] for name, same in found.items() if len(same) == 1}
    kept = {name: old for name in errors if before and (old := before.get(name))}
    return JobTypes(dict(sorted({**kept, **loaded}.items())), {name: in_order(each) for name, each in errors.items()})


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))
    except OSError as error:
        raise Problems([Problem(str(directory), f"cannot be read: {error.strerror or error}")]) from None


def _twice(name: str, same: list[JobType]) -> list[Problem]:
    files = " and ".join(job_type.path.name for job_type in same)
    return [
        Problem(load(job_type.path).where("name"), f'"{name}" is the name of {files}: rename all but one')
        for job_type in same
    ]


class _Reader:
    """Reads one file; what is wrong is noted, and a harmless value takes its place, so that all problems are found."""

    def __init__(self, document: Document) -> None:
        self._document, self._findings = document, Findings(document)
        self._value: Any = document.value
        self._path = document.path

    def job_type(self) -> JobType:
        """Return the job type, or raise all that is wrong."""
        if not isinstance(self._value, dict):
            self._findings.error("a job type has the keys name, inputs, outputs, and script or command")
            self._findings.raise_errors()
        self._findings.unknown_keys(self._value, _KEYS)
        found: dict[str, Any] = {
            "name": self._name(),
            "inputs": self._types("inputs"),
            "outputs": self._types("outputs"),
            "runs": self._runs(),
            "environment": self._environment(),
            "limits": read_limits(
                self._mapping("limits", "limits such as {timeout: 10m, memory: 512M}"), self._findings
            ),
            "repeat": self._repeat(),
            "needs": read_needs(self._mapping(NEEDS, "resources such as {camera: 1}"), self._findings),
            "secrets": read_secrets(
                self._mapping(SECRETS, "secrets such as {API_KEY: {file: PATH}}", is_shown=False),
                self._findings,
                self._path.parent,
            ),
            "parallel": read_parallel(self._value.get(PARALLEL), self._findings),
            "sandbox": read_sandbox(self._value.get(SECTION), self._findings, self._path.parent),
        }
        self._findings.raise_errors()
        return JobType(**found, path=self._path, source=self._document.text)

    def _name(self) -> str:
        name = self._value.get("name")
        if name is None:
            self._findings.error(f'"name" is missing: write name: {_as_name(self._path.stem)}')
        elif not isinstance(name, str) or not is_segment(name):
            what = (
                f"{shown(name)} cannot name a job type: it becomes part of a topic, so use 1 to 40 of a-z, 0-9, _ and -"
            )
            self._findings.error(what, "name")
        return str(name)

    def _mapping(self, key: str, what: str, *, is_shown: bool = True) -> dict[str, Any]:
        value = self._value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            got = f", got {shown(value)}" if is_shown else ""
            self._findings.error(f"expected {what}{got}", key)
            return {}
        return value

    def _types(self, key: str) -> dict[str, Type]:
        types: dict[str, Type] = {}
        for name, spec in self._mapping(key, f"names and types below {key}, such as {{message: string}}").items():
            if not _NAME.match(name):
                what = "use 1 to 80 letters, digits, _ . and -"
                self._findings.error(f'"{name}" cannot be a name here: {what}', key, name)
                continue
            try:
                types[name] = parse_type(spec)
            except TypeProblem as problem:
                self._findings.error(f"{name}: {problem}", key, name)
        return types

    def _runs(self) -> Command | Script:
        command, script = self._value.get("command"), self._value.get("script")
        interpreter = self._value.get("interpreter")
        if command is not None and script is not None:
            self._findings.error('"script" and "command" are both given: leave one out', "script")
        elif command is None and script is None:
            self._findings.error('nothing to run: write script: "…" or command: [/usr/bin/tool, --flag]')
        if interpreter is not None and command is not None:
            self._findings.error('"interpreter" belongs to a script; a command starts with its program', "interpreter")
        if script is not None and (not isinstance(script, str) or not script.strip()):
            self._findings.error(f"expected the text of a script, got {shown(script)}", "script")
        elif script is not None and not _can_be_passed(script):
            self._findings.error("a script cannot hold a NUL character", "script")
        argv = INTERPRETER if interpreter is None else self._argv("interpreter", interpreter)
        return Script(str(script), argv) if command is None else Command(self._argv("command", command))

    def _argv(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            got = (
                f"; a shell line would be script: {shown(value)}" if isinstance(value, str) else f", got {shown(value)}"
            )
            self._findings.error(
                f"expected a list of a program and its arguments, as in [/usr/bin/tool, --flag]{got}", key
            )
            return ()
        for index, word in enumerate(value):
            if not isinstance(word, str):
                self._findings.error(f'expected a string, got {shown(word)}: write "{_plain(word)}"', key, index)
            elif not _can_be_passed(word) or (index == 0 and not word):
                self._findings.error(f"{shown(word)} cannot be part of a command", key, index)
        words = [str(word) for word in value]
        # A program with a slash in its name lies where the file says, wherever the agent was started.
        if "/" in words[0]:
            words[0] = str(self._path.parent.absolute() / words[0])
        return tuple(words)

    def _environment(self) -> dict[str, str]:
        environment = self._mapping(
            "environment", "variables below environment, such as {LC_ALL: C.UTF-8}", is_shown=False
        )
        for name, value in environment.items():
            if not _IDENTIFIER.match(name):
                what = "use letters, digits and _, a letter first"
                self._findings.error(f'"{name}" cannot name a variable: {what}', "environment", name)
            elif name.startswith(_OURS):
                what = f"names that begin with {_OURS} are the agent's own; choose another"
                self._findings.error(f'"{name}": {what}', "environment", name)
            elif not isinstance(value, str):
                # What it is stays unsaid here: a value may be a secret, and viewers read what is wrong.
                self._findings.error(
                    f'expected a string: write the value of {name} in quotes, {name}: "…"', "environment", name
                )
            elif not _can_be_passed(value):
                self._findings.error(f"no variable can hold the value of {name}", "environment", name)
        return environment

    def _repeat(self) -> bool:
        repeat = self._value.get("repeat")
        if repeat is not None and not isinstance(repeat, bool):
            self._findings.error(f"expected true or false, got {shown(repeat)}", "repeat")
        return repeat is not False


def _can_be_passed(text: str) -> bool:
    """Tell whether a text can be an argument, a variable or a script: it has no NUL, and UTF-8 can hold it."""
    return "\0" not in text and is_unicode(text)


def _plain(value: object) -> str:
    """Return a value as the text that it may have been meant to be."""
    return shown(value).strip('"')


def _as_name(stem: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", stem.lower())[:40] or "upper"
