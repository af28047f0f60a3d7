"""How job types are shown: what is declared, and what is run with which limits."""

from caroni_edge.agent.jobtype_keys import INTERPRETER
from caroni_edge.agent.jobtypes import Command, JobType, Script
from caroni_edge.agent.pages.shapes import JobTypeView, LimitsView


def job_type_view(job_type: JobType) -> JobTypeView:
    """Return a job type; of its environment the names alone, since a value may be nobody's business."""
    limits, runs = job_type.limits, job_type.runs
    return JobTypeView(
        name=job_type.name,
        file=str(job_type.path),
        version=job_type.version,
        inputs={name: kind.spec for name, kind in job_type.inputs.items()},
        outputs={name: kind.spec for name, kind in job_type.outputs.items()},
        command=list(runs.argv) if isinstance(runs, Command) else None,
        script=runs.text if isinstance(runs, Script) else None,
        interpreter=list(runs.interpreter if isinstance(runs, Script) else INTERPRETER),
        environment=sorted(job_type.environment),
        secrets=sorted(job_type.secrets),
        limits=LimitsView(
            timeout_s=limits.timeout_s,
            memory_bytes=limits.memory_bytes,
            output_bytes=limits.output_bytes,
            log_bytes=limits.log_bytes,
            nice=limits.nice,
        ),
        needs=dict(job_type.needs),
        parallel=job_type.parallel,
        repeat=job_type.repeat,
    )
