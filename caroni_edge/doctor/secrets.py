"""The secrets that an agent's job types name: whether they can be read."""

import os
from collections.abc import Iterator

from caroni_edge.agent.jobtypes import load_job_types
from caroni_edge.agent.secrets import unreadable
from caroni_edge.config import AgentConfig
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.documents.documents import Problems

NAME = "secrets"


def check(config: AgentConfig) -> Iterator[Finding]:
    """Read the secrets as who asks, who must be the agent's user; nothing is said where no job type names any."""
    try:
        job_types = [each for each in load_job_types(config.job_types).loaded.values() if each.secrets]
    except Problems:  # said where job types are looked at
        return
    credentials = os.environ.get(CREDENTIALS)
    wrong = {each.name: unreadable(each.secrets, credentials, is_service=False) for each in job_types}
    for name, why in wrong.items():
        if why:
            yield problem(NAME, f"job type {name} is refused: {why}", "Mend it, then reload the agent (SIGHUP).")
    if job_types and not any(wrong.values()):
        names = ", ".join(wrong)
        if not credentials and any(source.credential for each in job_types for source in each.secrets.values()):
            hint = "The agent's page shows a job type whose credential is missing, and why."
            yield warning(NAME, f"only the agent's service sees the credentials that it hands to jobs of {names}", hint)
        else:
            yield ok(NAME, f"those of {names} can be read")
