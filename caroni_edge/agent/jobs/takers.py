"""Hand-over: a pending job takes inputs from jobs here, without its manager (docs/protocol.md, "Hand-over")."""

from collections.abc import Mapping

import msgspec

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.jobs import JobRow
from caroni_edge.protocol.fields import InputFrom
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, Placement, Values
from caroni_edge.values.carried import misfit_of, objects_in
from caroni_edge.values.json import as_text, canonical_within, from_text
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.remote import remote_in

NO_GIVER = "a job that it takes an input from is not here"
TOO_MUCH = "it takes more inputs from jobs here than a message can name"
NO_TYPE = "an input that it takes from a job here is to have a type that is none"
GIVER_ENDED = "a job that it takes an input from has ended without a result"

_decoder = msgspec.json.Decoder(dict[str, InputFrom])


class Takers:
    """Knows which jobs take what from which; a giver is a job of the same manager and workflow, no other is one."""

    def __init__(self, store: Store) -> None:
        """Look in the rows of jobs."""
        self._store = store

    def misfit(self, manager: str, placed: Placement) -> str | None:
        """Return why a job that was placed cannot take its inputs here; None where it can, or takes none.

        Each job that it takes one from must be here, and have completed, or may still do so.
        """
        for job, _output, spec in placed.inputs_from.values():
            if self._giver(manager, placed.workflow, job) is None:
                return NO_GIVER
            try:
                parse_type(spec)
            except TypeProblem as problem:
                return f"{NO_TYPE}: {problem}"
        # A reconciliation names them again, in one message.
        return TOO_MUCH if len(as_text(placed.inputs_from)) > VALUES_LIMIT_BYTES else None

    def add(self, job: str, inputs_from: Mapping[str, InputFrom]) -> str | None:
        """Note from where a pending job takes inputs; return that as its row has it."""
        if not inputs_from:
            return None
        self._store.takers.add(job, {giver for giver, _output, _type in inputs_from.values()})
        return as_text(inputs_from)

    def drop(self, job: str) -> None:
        """Note that a job takes nothing any more: it is not pending."""
        self._store.takers.drop(job)

    def of(self, giver: str) -> list[JobRow]:
        """Return the pending jobs that take inputs from a job."""
        return self._store.takers.of(giver)

    def inputs(self, row: JobRow) -> Values | None:
        """Return all inputs of a pending job, if each of its givers has completed, with a value that may be taken.

        What has another type than the template says, or files that are to be fetched, is left to the manager.
        """
        found: Values = from_text(row.inputs)
        if any(remote_in(found)):
            return None
        for name, (job, output, spec) in inputs_from(row).items():
            giver = self._giver(row.manager, row.workflow, job)
            if giver is None or giver.status is not JobState.COMPLETED or giver.outputs is None:
                return None
            value = from_text(giver.outputs).get(output)
            if misfit_of(parse_type(spec), value) is not None or objects_in(value):
                return None
            found[name] = value
        try:
            canonical_within(found, VALUES_LIMIT_BYTES)
        except ValueError:
            return None
        return found

    def _giver(self, manager: str, workflow: str, job: str) -> JobRow | None:
        row = self._store.jobs.by_job(job)
        if row is None or (row.manager, row.workflow) != (manager, workflow):
            return None
        return None if row.status in (JobState.FAILED, JobState.KILLED) else row


def inputs_from(row: JobRow) -> dict[str, InputFrom]:
    """Return from where a pending job takes inputs."""
    return {} if row.inputs_from is None else _decoder.decode(row.inputs_from)
