"""How a job ended: one of four outcomes, each of which carries what belongs to it and nothing else.

An outcome is made where the end of a process is read (`ends.py`), or where a job ends that has none. The ledger keeps
it in the job's row, and the job's manager is told what the row says.
"""

from dataclasses import dataclass

STDERR_LIMIT_BYTES = 4096
"""So much of the end of a job's standard error is kept and told."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Its process ended with exit status 0, and gave all that the job type declares.

    Attributes:
        outputs: As canonical JSON, no larger than a message can hold.
        started: When its process was started, Unix seconds; None where that is not known.
    """

    outputs: str
    started: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Its process began, or may have begun, and gave no outputs that count.

    Attributes:
        reason: Why there are no outputs, for people.
        exit_code: Of its process; negative for a signal; None where it is not known.
        stderr: The end of its standard error; None where it is not known.
        started: When its process was started, Unix seconds; None where that is not known.
        final: The same version of its job type would end so again.
    """

    reason: str
    exit_code: int | None = None
    stderr: str | None = None
    started: float | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class NeverBegan:
    """No process of it has ever begun, and none will: the job may be done elsewhere without being done twice.

    Attributes:
        reason: Why not, for people.
        no_room: Only for want of space, descriptors, processes or memory on the host; nothing is wrong with the job.
        lacking: Only since its job type lacks something on this host, until its owner has put that right.
    """

    reason: str
    no_room: bool = False
    lacking: bool = False


@dataclass(frozen=True, slots=True)
class Killed:
    """Its manager or the agent's owner did not want it any more, and it had not completed when its process ended.

    Attributes:
        reason: Why it was not wanted, for people.
        process: How its process ended; None where none had begun.
    """

    reason: str
    process: Failed | None = None


ProcessOutcome = Completed | Failed | NeverBegan
"""What a runner can tell; whether a job was to be killed is known to the agent's database alone."""

JobOutcome = ProcessOutcome | Killed
