"""The page of one step: why it is where it is, its attempts, and the log of one of them."""

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from caroni_edge.manager.pages.api import Asked, ManagerApi, choose, read_log
from caroni_edge.manager.pages.lines import lines_of, seconds_between
from caroni_edge.manager.pages.run import Run, nothing
from caroni_edge.manager.pages.shapes import AttemptView
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.shown import ShownStep
from caroni_edge.values.json import from_text
from caroni_edge.web.parameters import AttemptNumber
from caroni_edge.web.templating import page

LOG_SHOWN_BYTES = 16 * 1024
"""So much of the end of a log is in the page; what follows is fetched by its script."""
ATTEMPTS_SHOWN = 20


@get("/runs/{workflow:str}/steps/{step:path}", include_in_schema=False, sync_to_thread=True)
def show_step(
    manager: NamedDependency[ManagerApi], workflow: FromPath[str], step: FromPath[str], attempt: AttemptNumber = None
) -> Template:
    """Show a step, with the log of one of its attempts: of that which counts, where none is named."""
    path = step.strip("/")
    with manager.look() as views:
        run = Run(manager, views, workflow)
        row = views.step_row(run.row, path) or nothing(f"the run {workflow} has no step {path}, or it is not made yet")
        (line,) = lines_of(views, run.row, run.summary, [row])
        attempts = line.view["attempts"]
        chosen = choose(row.job, attempts, attempt)
        return page(
            "manager/step.html",
            run=run.summary,
            path=path,
            line=line,
            why=manager.explain(views).step(run.row, row)["why"],
            outputs=from_text(row.outputs) if row.outputs else None,
            inputs=from_text(views.inputs_of(row)) if row.job_type else {},
            attempts=[(each, seconds_between(each["started"], each["ended"])) for each in attempts[-ATTEMPTS_SHOWN:]],
            before=max(0, len(attempts) - ATTEMPTS_SHOWN),
            chosen=chosen,
            log=_log(manager, views, row, chosen) if row.job_type and chosen else None,
        )


def _log(manager: ManagerApi, views: ManagerViews, row: ShownStep, attempt: AttemptView) -> dict[str, Any]:
    """Return the end of a log as it has come, and where what follows begins."""
    size = views.log_end(attempt["job"]).size_bytes
    answer = read_log(manager, views, row, attempt, Asked(max(0, size - LOG_SHOWN_BYTES), None))
    heads = answer.headers
    return {
        "text": answer.content,
        "begin": int(heads["Caroni-Log-Offset"]),
        "next": heads["Caroni-Log-Next"],
        "state": heads["Caroni-Log"],
        "cut": heads.get("Caroni-Log-Cut"),
    }


PAGES = (show_step,)
