"""Many runs at once: which ones a filter names is counted and shown first, and done only if that is so still."""

from typing import Any, Final

from litestar import Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, RawBody
from litestar.response import Redirect, Template

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.api_acting import act_on_many
from caroni_edge.manager.pages.filters import read_filter
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.manager.workflows.bulk import BulkAction
from caroni_edge.web.audit import ACTION
from caroni_edge.web.forms import fields
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import page

FILTER = {"wanted": Provide(read_filter, sync_to_thread=False)}
DONE: Final[dict[BulkAction, str]] = {"cancel": "cancelled", "retry": "retried", "delete": "deleted"}


@get("/many/{action:str}", include_in_schema=False, sync_to_thread=True, dependencies=FILTER)
def ask(
    manager: NamedDependency[ManagerApi], wanted: NamedDependency[WorkflowFilter], action: FromPath[str]
) -> Template:
    """Say how many runs a filter names to which something could be done, and ask whether it shall be."""
    found = act_on_many(manager, _action(action), wanted, None)
    return page("manager/many.html", action=action, done=DONE[_action(action)], asked=_query(wanted), found=found)


@post(
    "/many/{action:str}",
    include_in_schema=False,
    sync_to_thread=True,
    dependencies=FILTER,
    opt={ACTION: "act on many"},
)
def act(
    request: Request[Any, Any, Any],
    manager: NamedDependency[ManagerApi],
    wanted: NamedDependency[WorkflowFilter],
    action: FromPath[str],
    body: RawBody,
) -> Redirect:
    """Do it, if there are as many as were shown."""
    count = fields(body).get("count", "")
    if not count.isdecimal() or len(count) > 10:
        raise Problem(400, "count is the number of runs that was shown", "count")
    try:
        found = act_on_many(manager, _action(action), wanted, int(count))
    except Refused as refused:
        raise Problem(refused.status, refused.reason) from None
    some = f"More than {found['count'] - 1:,} runs" if found["more"] else f"{found['count']:,} runs"
    request.user.note(f"{some} are being {DONE[_action(action)]}, a few at a time.")
    return Redirect("/", status_code=303)


def _action(name: str) -> BulkAction:
    if name not in DONE:
        raise Problem(404, f"many runs at once can be cancelled, retried and deleted; {name} is none of that")
    return name


def _query(wanted: WorkflowFilter) -> dict[str, str]:
    """Return the filter as a query that means the same tomorrow: an age has become a date."""
    given = wanted._asdict() | {"since": rfc3339(wanted.since)}
    return {name: str(value) for name, value in given.items() if value is not None}


PAGES = (ask, act)
