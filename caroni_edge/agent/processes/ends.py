"""From the recorded end of a job's process to its outcome: what it gave, or why it gave nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from caroni_edge.agent.keeper import reasons
from caroni_edge.agent.keeper.disk import taken_bytes
from caroni_edge.agent.keeper.files import opened
from caroni_edge.agent.keeper.reasons import why
from caroni_edge.agent.keeper.records import EXITED, Exit, boot_id, directory_of
from caroni_edge.agent.processes import logfiles
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan, ProcessOutcome
from caroni_edge.agent.processes.outputs import Declared, OutputProblem, UnfitOutputs, read_outputs
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.objects.disk import Taker


class About(NamedTuple):
    """What must be known of a job when it ends; it is kept in the job's start record until then.

    Attributes:
        declared: What its outputs are checked against.
        notes: What its log is to say.
        manager: Whose job it is; empty where that is nobody's, or a release of before has started it.
    """

    declared: Declared
    notes: Sequence[str]
    manager: str = ""

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "About":
        """Read what `facts` wrote.

        Raises:
            ValueError: Something else stands there.
        """
        try:
            notes = [str(note) for note in facts.get("notes", ())]
            return cls(Declared.read(facts), notes, str(facts.get("manager", "")))
        except (AttributeError, TypeError) as error:
            raise ValueError(f"its start record is damaged: {error}") from None

    def facts(self) -> dict[str, Any]:
        """Return what is to be kept, as JSON."""
        said = {"notes": self.notes, "manager": self.manager}
        return {**self.declared.facts(), **{name: value for name, value in said.items() if value}}


def conclude(state_dir: str, end: Exit, about: About, store: Taker | None = None) -> JobEnded:
    """Read what a job gave, or why it gave nothing, and finish its log.

    Args:
        state_dir: The agent's.
        end: How its process ended.
        about: What was to be kept in mind of it.
        store: Takes large files; None where there is no time for that.

    Raises:
        NeedsStore: It has given a large file, and there is no store; nothing was done then.
        NoRoom: The disk has no room for one; nothing was done then.
        OSError: Its directory cannot be used, or the log cannot be finished.
    """
    with opened(directory_of(state_dir, end.job)) as directory:
        reason = _reason(end)
        given, is_final = None, False
        if _is_well(end):
            try:
                given = read_outputs(
                    directory, about.declared, is_whole=end.boot == boot_id(), is_masked=end.is_masked, store=store
                )
            except OutputProblem as problem:
                reason, is_final = str(problem), isinstance(problem, UnfitOutputs)
        notes = [*about.notes, *(() if given is None else given.notes), *end.notes.splitlines()]
        logfiles.finish(directory, notes, with_stdout=given is None or not given.from_stdout)
        outcome: ProcessOutcome
        if given is not None:
            outcome = Completed(given.outputs, _started(end))
        else:
            outcome = _without_outputs(end, reason, logfiles.stderr_tail(directory), final=is_final)
        disk_bytes = taken_bytes(directory) if end.disk_bytes is None else end.disk_bytes
        ended = JobEnded(end.job, outcome, end.date, disk_bytes, end.cpu_s, end.memory_bytes)
        return ended if given is None else replace(ended, objects=given.objects, directories=given.directories)


def unreadable(end: Exit, error: Exception) -> JobEnded:
    """Return the end of a job whose outputs or log cannot be read: its record is all that is known."""
    reason = f"what it gave cannot be read: {why(error)}" if _is_well(end) else _reason(end)
    outcome = _without_outputs(end, reason)
    return JobEnded(end.job, outcome, end.date, cpu_s=end.cpu_s, memory_bytes=end.memory_bytes)


def _is_well(end: Exit) -> bool:
    return end.kind == EXITED and end.status == 0


def _reason(end: Exit) -> str:
    return "; ".join([end.reason or reasons.exited(end.status), *end.notes.splitlines()])


def _without_outputs(end: Exit, reason: str, stderr: str | None = None, *, final: bool = False) -> Failed | NeverBegan:
    if end.started is None:
        return NeverBegan(reason, no_room=end.no_room)
    return Failed(reason, end.status, stderr, _started(end), final=final)


def _started(end: Exit) -> float | None:
    """Return when a process was started; None where a power cut has taken that from the record."""
    return end.started or None
