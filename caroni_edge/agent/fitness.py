"""Whether the jobs of a type can run on this host, as far as that can be told before there is one."""

from caroni_edge.agent.boxes.strength import Able, choose
from caroni_edge.agent.boxes.view import clash
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.needs import more_than_there_is
from caroni_edge.agent.secrets import unreadable
from caroni_edge.config import AgentConfig


def why_not_here(job_type: JobType, config: AgentConfig, credentials: str | None, able: Able | None) -> str:
    """Return why the agent takes no jobs of a type, for people; empty where it does.

    Args:
        job_type: The job type.
        config: The agent's configuration.
        credentials: The directory of the agent's systemd credentials; None where there is none.
        able: What jobs can be locked into, as the agent has found out; None in another process, which has not tried,
            and does not see the agent's credentials either.
    """
    if able is not None:
        found = choose(config.sandbox, job_type.sandbox, able, has_secrets=bool(job_type.secrets))
        if isinstance(found, str):
            return found
    return (
        clash(job_type.sandbox.paths, config.state_dir)
        or more_than_there_is(job_type.needs, config.resources)
        or unreadable(job_type.secrets, credentials, is_service=able is not None)
    )
