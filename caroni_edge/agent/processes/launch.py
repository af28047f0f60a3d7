"""The order by which a keeper starts a job, in a box of its own where it gets one."""

import os
from typing import Any

from caroni_edge.agent.boxes import each
from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.jobtypes import Command
from caroni_edge.agent.keeper.processes import OPENED
from caroni_edge.agent.keeper.records import OUTPUTS, WORK, directory_of
from caroni_edge.agent.processes.ends import About
from caroni_edge.agent.processes.port import JobOrder
from caroni_edge.agent.processes.staging import FILES
from caroni_edge.agent.processes.workspace import INPUTS, Launch


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
    return {
        "do": "start",
        "job": order.job,
        "argv": [*_box(state_dir, order, boxes, launch.argv), *launch.argv] if is_alone else launch.argv,
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
        "opens": (boxes.filter or None) if is_alone else None,
        "manager": order.manager,
    }


def _box(state_dir: str, order: JobOrder, boxes: Boxes, argv: list[str]) -> list[str]:
    directory = directory_of(state_dir, order.job)
    program = argv[0] if isinstance(order.job_type.runs, Command) else argv[-1]
    given = [path for name in (INPUTS, FILES) if os.path.lexists(path := f"{directory}/{name}")]
    needed = [*given, *([program] if os.path.isfile(program) else [])]
    return each.arguments(
        boxes.bwrap,
        boxes.hidden,
        order.job_type.sandbox,
        as_root=os.geteuid() == 0,
        filtered_by=OPENED if boxes.filter else None,
        readable=tuple(path for path in needed if not path.startswith("/usr/")),
        writable=(f"{directory}/{OUTPUTS}", f"{directory}/{WORK}"),
        work=f"{directory}/{WORK}",
    )
