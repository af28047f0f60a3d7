"""What a job is locked into, decided of what its type asks for and of what this host can do."""

from enum import StrEnum
from typing import Literal, NamedTuple

from caroni_edge.agent.boxes.wanted import Sandbox

Policy = Literal["preferred", "required", "off"]


class Strength(StrEnum):
    """What keeps a job from its agent and its host."""

    EACH = "each"
    SHARED = "shared"
    NONE = "none"


class Able(NamedTuple):
    """What this host can do.

    Attributes:
        no_shared: Why there is no box that jobs share, for people; empty where there is one.
        no_each: Why there is no box for each job; likewise.
        no_ids: Why slots have no user ids of their own in the box that jobs share; likewise.
    """

    no_shared: str
    no_each: str
    no_ids: str = "none are looked for"


class Choice(NamedTuple):
    """What a job gets.

    Attributes:
        strength: That.
        lacks: Why it is less than was asked for; empty where it is not.
        has_id: It has a user id of its own in the box that jobs share.
    """

    strength: Strength
    lacks: str = ""
    has_id: bool = False

    def said(self) -> str:
        """Return it for people: `shared`, or `none: ` and why that is less than was asked for."""
        kind = f"{self.strength}{_WITH_ID}" if self.has_id else str(self.strength)
        return f"{kind}: {self.lacks}" if self.lacks else kind

    def notes(self) -> list[str]:
        """Return what the log of a job says of it: nothing where it is what was asked for."""
        where = "the box that all jobs of this agent share" if self.strength is Strength.SHARED else "no box"
        return [f"it ran in {where}, since it could not be locked up better: {self.lacks}"] if self.lacks else []


UNBOXED = Choice(Strength.NONE)
_WITH_ID = ", with a user id of its own"


def said(policy: Policy, able: Able) -> str:
    """Return, for people, what jobs are locked into whose type asks for nothing else."""
    if policy == "off":
        return "none: the agent's configuration says so"
    if able.no_shared:
        return f"none: {able.no_shared}"
    return Choice(Strength.SHARED, has_id=not able.no_ids).said()


def choose(policy: Policy, sandbox: Sandbox, able: Able, *, has_secrets: bool = False) -> Choice | str:
    """Return what a job gets, or why it must not run here.

    Args:
        policy: The agent's.
        sandbox: What the job type asks for.
        able: What the host can do.
        has_secrets: It gets secrets, which other jobs of its user could read from its memory: without an id of its own
            it gets a box of its own.
    """
    if policy == "off" or sandbox.is_off:
        return UNBOXED
    has_id = not (able.no_shared or able.no_ids)
    wanted = Strength.EACH if sandbox.each or (has_secrets and not has_id) else Strength.SHARED
    problem = able.no_each if wanted is Strength.EACH else able.no_shared
    if not problem:
        return Choice(wanted, has_id=has_id and wanted is Strength.SHARED)
    if problem and has_secrets and not has_id:
        return (
            "its jobs get secrets, and have neither a box nor a user id of their own here (sandbox: off in "
            f"the job type lets them run in none): {problem}"
        )
    if policy == "required":
        return f"its jobs cannot be locked into a box here, which the agent's configuration requires: {problem}"
    return Choice(Strength.SHARED if not able.no_shared else Strength.NONE, problem, has_id=has_id)
