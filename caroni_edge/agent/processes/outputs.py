"""Reads what a job gave, from `$CARONI_OUTPUTS` or standard output, and checks it against what its type declares."""

import errno
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.keeper.files import Unusable, read_regular, size_of
from caroni_edge.agent.keeper.masking import MASK
from caroni_edge.agent.keeper.records import OUTPUTS, STDOUT
from caroni_edge.agent.processes.collecting import Collector, NeedsStore
from caroni_edge.agent.processes.largevalues import with_objects
from caroni_edge.agent.processes.workfiles import NotTaken
from caroni_edge.documents.documents import nearest
from caroni_edge.objects.disk import Taker
from caroni_edge.objects.objects import Directory, Object
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, Values
from caroni_edge.values.carried import LOCATION, NotCarried
from caroni_edge.values.files import FileType, file_in
from caroni_edge.values.json import canonical, canonical_within, shown
from caroni_edge.values.large import LARGE_MAX_BYTES, large_in
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.types import STRING, Enum, Type

RAW_FACTOR = 16
"""How much larger than the outputs may be the text that they are read from: white space, and what is not declared."""

EARLY_BYTES = VALUES_LIMIT_BYTES * RAW_FACTOR
"""Longer texts are read where there is time for that."""

_IN_FILE = "$CARONI_OUTPUTS"
_IN_STDOUT = "standard output"
_MASKED = MASK.decode()
_HOLDS_A_SECRET = f"it holds a secret of its job type ({_MASKED}), which no output may"
_MASKED_THERE = f" (a secret of its job type was in it, and is {_MASKED} now)"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PROBLEMS_TOLD = 5
_NOTES_TOLD = 20


class OutputProblem(ValueError):
    """A job's outputs are not those that its type declares; the message says why, for people."""


class UnfitOutputs(OutputProblem):
    """They could be read, and are too large or of other types: what the job type runs gives such, and will again."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a job's outputs are checked against.

    Attributes:
        types: By name.
        limit_bytes: All of them together, as JSON, without what is in large files.
    """

    types: Mapping[str, Type]
    limit_bytes: int

    @classmethod
    def of(cls, job_type: JobType) -> "Declared":
        """Take the outputs and their limit from a job type."""
        return cls(job_type.outputs, job_type.limits.output_bytes)

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "Declared":
        """Read what `facts` wrote; a larger limit than messages can hold, from another release, is cut to theirs."""
        types = {name: parse_type(spec) for name, spec in facts.get("outputs", {}).items()}
        return cls(types, min(facts.get("output_bytes", VALUES_LIMIT_BYTES), LARGE_MAX_BYTES))

    def facts(self) -> dict[str, Any]:
        """Return what is to be kept with the job, as JSON."""
        return {"outputs": {name: kind.spec for name, kind in self.types.items()}, "output_bytes": self.limit_bytes}


@dataclass(frozen=True, slots=True)
class Given:
    """The outputs of a job that has completed.

    Attributes:
        outputs: A value for each declared output, as canonical JSON; null for an optional one that is missing. They are
            no larger than a message can hold: large values are objects.
        notes: What the log should say.
        from_stdout: Standard output held them, so it is no part of the log.
        objects: Which of them, and of their files and directories, lie in the store now.
        directories: Those of them that are directories, with their files.
    """

    outputs: str
    notes: tuple[str, ...] = ()
    from_stdout: bool = False
    objects: tuple[Object, ...] = ()
    directories: tuple[Directory, ...] = ()


def read_outputs(
    directory: str,
    declared: Declared,
    *,
    is_whole: bool = True,
    is_masked: bool = False,
    store: Taker | None = None,
) -> Given:
    """Read the outputs of a job that has ended with exit status 0.

    Args:
        directory: The job's.
        declared: What they are checked against.
        is_whole: What the job wrote into its working directory is all there: no power cut can have taken any.
        is_masked: A secret was taken out of what they are read from.
        store: Takes large files; None where there is no time for that.

    Raises:
        NeedsStore: It has given a large file, and there is no store.
        NoRoom: The disk has no room for one.
        OutputProblem: One is missing or wrong, or the text cannot be read.
        UnfitOutputs: They are too large, or one has another type.
    """
    try:
        values, why_missing, from_stdout = _values(directory, declared, is_early=store is None)
    except OutputProblem as problem:
        raise type(problem)(f"{problem}{_MASKED_THERE}" if is_masked else str(problem)) from None
    if is_masked and (names := [name for name in declared.types if _MASKED in canonical(values.get(name))]):
        raise UnfitOutputs("; ".join(f"output {name}: {_HOLDS_A_SECRET}" for name in names[:_PROBLEMS_TOLD]))
    collector = Collector(directory, VALUES_LIMIT_BYTES, store)
    values = _with_files(values, collector, declared, is_whole=is_whole)
    given = replace(_checked(values, declared, why_missing), from_stdout=from_stdout)
    if len(given.outputs.encode()) > VALUES_LIMIT_BYTES:
        if store is None:
            raise NeedsStore
        try:
            told, large = with_objects({name: values.get(name) for name in declared.types}, declared.types, store)
        except NotTaken as problem:
            raise OutputProblem(f"the outputs are too large: {problem}") from None
        collector.objects += large
        given = replace(given, outputs=_within(told, VALUES_LIMIT_BYTES))
    return replace(given, objects=tuple(collector.objects), directories=tuple(collector.directories))


def _values(directory: str, declared: Declared, *, is_early: bool = False) -> tuple[Values, str, bool]:
    """Return what a job gave, why something may be missing in it, and whether standard output held it.

    Raises:
        NeedsStore: It may be much, and is read too early for that (`is_early`).
        OutputProblem: It cannot be read.
    """
    limit_bytes = min(declared.limit_bytes * RAW_FACTOR, declared.limit_bytes + VALUES_LIMIT_BYTES * (RAW_FACTOR - 1))
    if is_early and limit_bytes > EARLY_BYTES < max(size_of(f"{directory}/{name}") for name in (OUTPUTS, STDOUT)):
        raise NeedsStore
    text = _text(f"{directory}/{OUTPUTS}", limit_bytes, _IN_FILE)
    if text:
        is_object = text.lstrip().startswith("{")
        values = _object(text, _IN_FILE) if is_object else _lines(text, declared)
        return values, f"{_IN_FILE} does not name it", False
    if not declared.types:
        return {}, "", False
    text = _text(f"{directory}/{STDOUT}", limit_bytes, _IN_STDOUT)
    if not text.strip():
        return {}, f"nothing was written to {_IN_FILE} or to {_IN_STDOUT}", False
    try:
        values = _object(text, _IN_STDOUT)
    except OutputProblem as problem:
        first = next((f"output {name} is missing: " for name, kind in declared.types.items() if not kind.optional), "")
        raise OutputProblem(f"{first}nothing was written to {_IN_FILE}, and {problem}") from None
    return values, f"the JSON object on {_IN_STDOUT} does not name it", True


def _with_files(values: Values, collector: Collector, declared: Declared, *, is_whole: bool) -> Values:
    """Return outputs with File values in the place of the paths that the job has written."""
    taken = dict(values)
    for name, kind in declared.types.items():
        if file_in(kind) is None or values.get(name) is None:
            continue
        if not is_whole:
            raise OutputProblem(f"output {name}: the host was restarted before the file was taken, and may have cut it")
        try:
            taken[name] = collector.taken(kind, values[name])
        except NotTaken as problem:
            raise OutputProblem(f"output {name}: {problem}") from None
        except NotCarried as problem:
            raise UnfitOutputs(f"output {name}: {problem}") from None
    return taken


def _checked(values: Values, declared: Declared, why_missing: str) -> Given:
    """Return the declared outputs, or raise all that is wrong with their types and their size."""
    wrong = [name for name, kind in declared.types.items() if not kind.fits(values.get(name))]
    if wrong:
        told = [_what_is_wrong(name, declared.types[name], values, why_missing) for name in wrong[:_PROBLEMS_TOLD]]
        more = f"; and {len(wrong) - _PROBLEMS_TOLD} more" if len(wrong) > _PROBLEMS_TOLD else ""
        is_given = any(name in values for name in wrong)
        raise (UnfitOutputs if is_given else OutputProblem)("; ".join(told) + more)
    outputs = _within({name: values.get(name) for name in declared.types}, declared.limit_bytes)
    if LOCATION in outputs and (named := [name for name in declared.types if any(large_in(values.get(name)))]):
        raise UnfitOutputs(f"output {named[0]}: it names an object ({LOCATION}…), and a job gives values themselves")
    return Given(outputs, _notes([name for name in values if name not in declared.types]))


def _within(outputs: Values, limit_bytes: int) -> str:
    try:
        return canonical_within(outputs, limit_bytes)
    except ValueError as error:
        raise UnfitOutputs(f"the outputs {error}") from None


def _what_is_wrong(name: str, kind: Type, values: Values, why_missing: str) -> str:
    if name not in values:
        return f"output {name} is missing: {why_missing}{nearest(name, values)}"
    return f"output {name}: {kind.mismatch(values[name])}"


def _notes(dropped: list[str]) -> tuple[str, ...]:
    """Return what the log says of outputs that are not declared."""
    told = [f"output {shown(name)} is dropped: the job type does not declare it" for name in dropped[:_NOTES_TOLD]]
    more = len(dropped) - len(told)
    return (*told, f"{more} more outputs are dropped") if more else tuple(told)


def _text(path: str, limit_bytes: int, called: str) -> str:
    """Return the text of a regular file, empty where there is none; a job may have put anything else in its place."""
    try:
        data = read_regular(path, limit_bytes)
    except FileNotFoundError:
        return ""
    except Unusable as error:
        is_large = error.errno == errno.EFBIG
        raise (UnfitOutputs if is_large else OutputProblem)(f"{called} {error.what}") from None
    except OSError as error:
        raise OutputProblem(f"{called} cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")  # some editors and shells begin each file with a mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OutputProblem(f"{called} is not UTF-8 (line {line})") from None


def _object(text: str, called: str) -> Values:
    """Read a JSON object."""
    try:
        value = _json(text)
    except OutputProblem as problem:
        raise OutputProblem(f"{called}: {problem}") from None
    except ValueError as error:
        raise OutputProblem(f"{called} is no JSON object: {error}") from None
    if not isinstance(value, dict):
        raise OutputProblem(f"{called} is no JSON object, but {shown(value)}")
    return value


def _json(text: str) -> Any:
    """Read JSON strictly: no key twice, no NaN or infinity."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except RecursionError:
        raise OutputProblem("too many levels inside each other") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise OutputProblem(f"the key {shown(twice)} is given twice")
    return found


def _constant(word: str) -> None:
    raise OutputProblem(f"{word} is no number that JSON has")


def _lines(text: str, declared: Declared) -> Values:
    """Read values of one line, `name=value`, and of several: `name<<END`, the lines, `END`."""
    values: Values = {}
    lines = enumerate(text.removesuffix("\n").split("\n"), 1)
    for number, line in lines:
        if not line.strip():
            continue
        name, sign, value = _split(line)
        if not _NAME.match(name):
            expected = "expected name=value or name<<END"
            raise OutputProblem(f"line {number} of {_IN_FILE}: {expected}, got {shown(line)}")
        if name in values:
            raise OutputProblem(f"line {number} of {_IN_FILE}: {name} is given twice")
        if sign == "<<":
            value = _until(value, lines, number)
        values[name] = _value(name, value, declared)
    return values


def _split(line: str) -> tuple[str, str, str]:
    """Split a line at the first `=` or `<<`; without either, all three parts are empty."""
    by_equal, by_mark = line.partition("="), line.partition("<<")
    return by_mark if by_mark[1] and len(by_mark[0]) < len(by_equal[0]) else by_equal if by_equal[1] else ("", "", "")


def _until(end: str, lines: "enumerate[str]", begun: int) -> str:
    """Return the lines up to the line `end`, which is taken too."""
    if not end:
        raise OutputProblem(f"line {begun} of {_IN_FILE}: expected name<<END, with a word for END")
    value: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(value)
        value.append(line)
    raise OutputProblem(f"line {begun} of {_IN_FILE}: no line {shown(end)} ends the value")


def _value(name: str, text: str, declared: Declared) -> Any:
    """Return the value of a text: itself where a string, an enum, a file or nothing is declared, else its JSON."""
    kind = declared.types.get(name)
    if kind is None or kind.required == STRING or isinstance(kind.required, Enum):
        return text
    if isinstance(kind.required, FileType) and not text.startswith("{"):
        return text
    try:
        return _json(text)
    except OutputProblem as problem:
        raise OutputProblem(f"output {name}: {problem}") from None
    except ValueError:
        raise UnfitOutputs(f"output {name}: expected {kind} as JSON, got {shown(text)}") from None
