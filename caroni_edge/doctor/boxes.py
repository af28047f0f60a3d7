"""What an agent's jobs are locked into on this host."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from caroni_edge.agent.boxes.host import NO_BWRAP, look
from caroni_edge.agent.boxes.strength import Able, Policy
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.processes.workspace import SCRIPTS
from caroni_edge.config import AgentConfig
from caroni_edge.doctor.findings import Finding, ok, problem, warning

NAME = "sandbox"

_ROOT = 0
_INSTALL = "Install it: apt-get install bubblewrap."
_GIVE = "Or give its slots user ids (docs/operations.md says how)."
_ALLOW = "Let the agent's user make namespaces (docs/operations.md says how)."


def check(config: AgentConfig) -> Iterator[Finding]:
    """Try what this host can do, as who asks, who must be the agent's user; a box is made around nothing."""
    agents = config.state_dir.stat().st_uid if config.state_dir.exists() else os.geteuid()
    if agents != os.geteuid() and config.sandbox != "off":
        what = f"what jobs are locked into, only the agent's user can find out (user {agents}), and the page /node says"
        yield warning(NAME, what, f"Ask as that user: setpriv --reuid {agents} --clear-groups caroni-edge doctor …")
        return
    with tempfile.TemporaryDirectory() as directory:
        for name in (JOBS, SCRIPTS):
            Path(directory, name).mkdir()
        parent = str(config.state_dir.absolute().parent)
        boxes = look(hidden(Path(directory), (), None), os.environ.get("PATH"), parent)
    yield of_boxes(config.sandbox, boxes.able, os.geteuid())


def of_boxes(policy: Policy, able: Able, user: int) -> Finding:
    """Judge what jobs are locked into.

    Args:
        policy: The agent's.
        able: What the host can do.
        user: The agent's user id.
    """
    if policy == "off":
        return warning(NAME, "jobs are locked into nothing, as agent.yaml says: they can do all that the agent can")
    if able.no_shared:
        what = f"jobs cannot be locked into a box: {able.no_shared}"
        hint = _INSTALL if able.no_shared == NO_BWRAP else _ALLOW
        if policy == "required":
            return problem(NAME, f"{what}; as agent.yaml requires one, none is taken", hint)
        return warning(NAME, f"{what}; they can do all that the agent can", hint)
    if user == _ROOT and able.no_ids:
        what = (
            "jobs share a box that hides the agent, but the agent is root: what is root's on the host, they can change"
        )
        return warning(NAME, what, f"Run the agent as a user of its own, as its systemd unit does. {_GIVE}")
    each_other = (
        f"; they can touch each other, since slots have no user ids: {able.no_ids}"
        if able.no_ids
        else " and, by a user id for each slot, each other"
    )
    apart = f"; none can have one of its own: {able.no_each}" if able.no_each else ""
    hidden_from = f"jobs share a box that hides the agent's state, secrets, sockets and processes from them{each_other}"
    return ok(NAME, hidden_from + apart)
