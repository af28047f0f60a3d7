"""The order by which a keeper starts a job, in a box of its own where it gets one."""

import os
from typing import Any

from caroni_edge.agent.boxes import each
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.jobtypes import Command
from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.processes import OPENED
from caroni_edge.agent.keeper.records import OUTPUTS, WORK, directory_of
from caroni_edge.agent.processes.ends import About
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.outputs import Declared
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.agent.processes.staging import FILES, Lender, NotStaged
from caroni_edge.agent.processes.workspace import INPUTS, Launch, Workspaces
from caroni_edge.agent.secrets import NoSecret, reveal
from caroni_edge.objects.disk import Damaged, NoRoom, ObjectFiles
from caroni_edge.objects.objects import ObjectId


class NotLaunched(Exception):
    """A job cannot be started.

    Attributes:
        outcome: How it ends because of that.
        damaged: The object because of which; None for none.
    """

    def __init__(
        self, why: str, *, no_room: bool = False, lacking: bool = False, damaged: ObjectId | None = None
    ) -> None:
        """Say why not."""
        super().__init__(why)
        self.outcome = NeverBegan(f"could not be started: {why}", no_room=no_room, lacking=lacking)
        self.damaged = damaged


class Launcher:
    """Makes the directories of jobs, and the orders by which they are started.

    Attributes:
        boxes: What jobs can be locked into.
    """

    def __init__(
        self,
        state_dir: str,
        agent: str,
        workspaces: Workspaces,
        boxes: Boxes,
        store: ObjectFiles,
        credentials: str | None = None,
    ) -> None:
        """Lend jobs the objects of `store`, for which no other thread may use it meanwhile.

        Args:
            state_dir: The agent's; absolute.
            agent: Its id.
            workspaces: Makes the directories of jobs.
            boxes: What jobs can be locked into.
            store: Has the objects.
            credentials: The directory where systemd tells the agent its credentials; None where there is none.
        """
        self._credentials = credentials
        self._state_dir, self._agent = state_dir, agent
        self.boxes = boxes
        self._workspaces, self._store = workspaces, store

    def prepare(self, order: JobOrder) -> tuple[About, dict[str, Any]]:
        """Make the directory of a job; return what must be known when it ends, and what to ask a keeper for.

        Raises:
            StartedBefore: The job was started before.
            NotLaunched: It cannot be started.
            OnlyInBucket: It can when some of its files have come back from there.
        """
        lender = Lender(self._store, link=order.box.strength is Strength.EACH)
        try:
            secrets = reveal(order.job_type.secrets, self._credentials)
            launch = self._workspaces.make(order.job, order.job_type, order.inputs, self._facts(order), lender)
        except OSError as error:
            no_room = error.errno in files.EXHAUSTED
            raise NotLaunched(f"its directory cannot be made: {error.strerror}", no_room=no_room) from error
        except NoRoom as error:
            raise NotLaunched(str(error), no_room=True) from error
        except NotStaged as error:
            raise NotLaunched(str(error)) from None
        except NoSecret as error:
            raise NotLaunched(str(error), lacking=True) from None
        except Damaged as error:
            raise NotLaunched(str(error), damaged=error.name) from error
        about = About(Declared.of(order.job_type), [*launch.notes, *order.box.notes()], order.manager)
        request = order_of(self._state_dir, order, about, self.boxes, launch)
        return about, {**request, "secrets": secrets} if secrets else request

    def _facts(self, order: JobOrder) -> dict[str, str]:
        return {
            "CARONI_JOB": order.job,
            "CARONI_WORKFLOW": order.workflow,
            "CARONI_STEP": order.step,
            "CARONI_ATTEMPT": str(order.attempt),
            "CARONI_MANAGER": order.manager,
            "CARONI_AGENT": self._agent,
        }


def order_of(state_dir: str, order: JobOrder, about: About, boxes: Boxes, launch: Launch) -> dict[str, Any]:
    """Return what to ask a keeper for.

    Args:
        state_dir: The agent's; absolute.
        order: The job.
        about: What must be known when it ends.
        boxes: What it can be locked into.
        launch: What it runs.
    """
    limits, is_alone = order.job_type.limits, order.box.strength is Strength.EACH
    box, opens = _box(state_dir, order, boxes, launch.argv) if is_alone else ([], [])
    return {
        "do": "start",
        "job": order.job,
        "argv": [*box, *launch.argv],
        "env": launch.environment,
        "timeout_s": limits.timeout_s,
        "memory_bytes": limits.memory_bytes,
        "nice": limits.nice,
        "log_bytes": limits.log_bytes,
        "processes": order.job_type.sandbox.processes,
        "disk_bytes": order.job_type.sandbox.disk_bytes,
        "about": about.facts(),
        "database": order.database,
        "serial": order.serial,
        "is_alone": is_alone,
        "opens": opens,
        "manager": order.manager,
    }


def _box(state_dir: str, order: JobOrder, boxes: Boxes, argv: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands in front of a command, and the files that the keeper opens for it."""
    opens: list[str] = []

    def opened(path: str) -> int:
        opens.append(path)
        return OPENED + len(opens) - 1

    directory = directory_of(state_dir, order.job)
    program = argv[0] if isinstance(order.job_type.runs, Command) else argv[-1]
    given = [path for name in (INPUTS, FILES) if os.path.lexists(path := f"{directory}/{name}")]
    needed = [*given, *([program] if os.path.isfile(program) else [])]
    words = each.arguments(
        boxes.bwrap,
        boxes.hidden,
        order.job_type.sandbox,
        as_root=os.geteuid() == 0,
        calls=boxes.filter,
        opened=opened,
        readable=tuple(path for path in needed if not path.startswith("/usr/")),
        writable=(f"{directory}/{OUTPUTS}", f"{directory}/{WORK}"),
        work=f"{directory}/{WORK}",
    )
    return words, opens
