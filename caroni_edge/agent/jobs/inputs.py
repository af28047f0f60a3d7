"""Whether inputs fit a job type."""

from caroni_edge.agent.jobtypes import JobType, JobTypes
from caroni_edge.documents.documents import nearest
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, Values
from caroni_edge.values.carried import misfit_of
from caroni_edge.values.json import canonical_within
from caroni_edge.values.large import LARGE_MAX_BYTES, large_in


def misfit(job_type: JobType, inputs: Values, *, all_there: bool) -> str | None:
    """Return why inputs do not fit a job type, for people; None when they do.

    Args:
        job_type: Declares names and types.
        inputs: Those that are known.
        all_there: Whether these are all that there will be, so that only an optional one may be missing.
    """
    for name, value in inputs.items():
        kind = job_type.inputs.get(name)
        if kind is None:
            return f'job type {job_type.name} has no input "{name}"{nearest(name, job_type.inputs)}'
        if wrong := misfit_of(kind, value, objects=True):
            return f'input "{name}" of job type {job_type.name}: {wrong}'
    if all_there:
        for name, kind in job_type.inputs.items():
            if name not in inputs and not kind.optional:
                return f'job type {job_type.name} needs the input "{name}" ({kind}), which is missing'
    if sum(each["size"] for each in large_in(list(inputs.values()))) > LARGE_MAX_BYTES:
        return f"the inputs have more than {LARGE_MAX_BYTES >> 20} MiB as JSON together"
    try:
        canonical_within(inputs, VALUES_LIMIT_BYTES)
    except ValueError as error:
        return f"the inputs {error}"
    return None


class CannotRun(ValueError):
    """A job cannot be run here; the message says why, for people.

    Attributes:
        final: Nor could it with the same inputs, if it were placed here again.
    """

    def __init__(self, why: str, *, final: bool) -> None:
        """Say why not."""
        super().__init__(why)
        self.final = final


def job_type_of(types: JobTypes, name: str, inputs: Values) -> JobType:
    """Return the job type that runs a job, all of whose inputs are there.

    Raises:
        CannotRun: There is none any more, or they do not fit.
    """
    job_type = types.get(name)
    if job_type is None:
        raise CannotRun(f"the agent has no job type {name} any more", final=False)
    if why := misfit(job_type, inputs, all_there=True):
        raise CannotRun(why, final=True)
    return job_type


def with_nulls(job_type: JobType, inputs: Values) -> Values:
    """Return inputs that fit as the job gets them: with null for each optional one that is missing."""
    return {name: inputs.get(name) for name in job_type.inputs}
