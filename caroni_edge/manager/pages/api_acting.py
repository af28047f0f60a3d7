"""The manager's JSON API for what is done to workflows that are there: another one like it, many at once."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import Struct

from caroni_edge.manager.pages.api import ManagerApi, no_workflow, on_refused
from caroni_edge.manager.pages.filters import read_filter
from caroni_edge.manager.pages.lists import COUNTED_MAX
from caroni_edge.manager.pages.shapes import BulkView, WorkflowSummary
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.manager.workflows.bulk import BulkAction
from caroni_edge.protocol.codec import Unreadable, decode_notice
from caroni_edge.protocol.fields import Segment
from caroni_edge.protocol.messages import Values
from caroni_edge.web import audit
from caroni_edge.web.problems import Problem

Count = Annotated[
    int | None,
    QueryParameter(
        ge=0, le=COUNTED_MAX + 1, description="What the answer without it said: it is done if that is so still."
    ),
]


class Changes(Struct, frozen=True, forbid_unknown_fields=True):
    """In what another workflow differs from the one that it is like.

    Attributes:
        inputs: Those that are others; null leaves one out.
        id: Its id, so that it can be asked for again and starts once; a random one without it.
    """

    inputs: Values = {}
    id: Segment | None = None


class ActingController(Controller):
    """What is done to workflows that are there."""

    path = "/api/workflows"
    tags = ("workflows",)
    exception_handlers = {Refused: on_refused}  # noqa: RUF012 - so Litestar wants it
    dependencies = {"wanted": Provide(read_filter, sync_to_thread=False)}  # noqa: RUF012

    @post("/{workflow:str}/rerun", sync_to_thread=True)
    def rerun(
        self, manager: NamedDependency[ManagerApi], workflow: FromPath[str], body: RawBody
    ) -> Response[WorkflowSummary]:
        """Start another workflow of the same template, as it is now, with the same inputs; those in the body differ."""
        changes = read_changes(body)
        started, is_new = manager.commands.call(
            lambda at: manager.reactor.rerun(workflow, changes.inputs, changes.id, at)
        )
        with manager.look() as views:
            summary = views.summary(started) or no_workflow(started)
        where = {"Location": f"/api/workflows/{started}"}
        return Response(summary, status_code=201 if is_new else 200, headers=where)

    @post("/cancel", status_code=200, sync_to_thread=True)
    def cancel_many(
        self, manager: NamedDependency[ManagerApi], wanted: NamedDependency[WorkflowFilter], count: Count = None
    ) -> BulkView:
        """Count the workflows that fit and could be cancelled; with that `count`, cancel them."""
        return act_on_many(manager, "cancel", wanted, count)

    @post("/retry", status_code=200, sync_to_thread=True)
    def retry_many(
        self, manager: NamedDependency[ManagerApi], wanted: NamedDependency[WorkflowFilter], count: Count = None
    ) -> BulkView:
        """Count the workflows that fit and could be retried; with that `count`, retry them."""
        return act_on_many(manager, "retry", wanted, count)

    @post("/delete", status_code=200, sync_to_thread=True)
    def delete_many(
        self, manager: NamedDependency[ManagerApi], wanted: NamedDependency[WorkflowFilter], count: Count = None
    ) -> BulkView:
        """Count the workflows that fit and have ended; with that `count`, delete them."""
        return act_on_many(manager, "delete", wanted, count)


def act_on_many(manager: ManagerApi, action: BulkAction, wanted: WorkflowFilter, count: int | None) -> BulkView:
    """Count the workflows to which something could be done, and let it be done if there are as many as was said.

    Args:
        manager: The manager.
        action: What is done.
        wanted: Which workflows.
        count: What was counted before; None only counts.

    Raises:
        Problem: There are others by now, or more than can be looked at.
        Refused: Too many such commands wait already.
    """
    with manager.look() as views:
        found = views.count_for(action, wanted)
    if found is None:
        said = "too many workflows would have to be looked at to count these: narrow it by template, status or since"
        raise Problem(422, said)
    if count is None:
        audit.leave_out()
        return BulkView(action=action, count=found, more=found > COUNTED_MAX, begun=False)
    if count != found:
        raise Problem(409, f"there are {_said(found)} by now, and {_said(count)} were confirmed: look again", "count")
    audit.note(runs=found, **wanted._asdict())
    manager.commands.call(lambda _at: manager.reactor.act_on_many(action, wanted))
    return BulkView(action=action, count=found, more=found > COUNTED_MAX, begun=True)


def read_changes(body: bytes) -> Changes:
    """Return the changes that the body of a request names; none for an empty one.

    Raises:
        Problem: It is something else.
    """
    try:
        return decode_notice(Changes, "", body) if body.strip() else Changes()
    except Unreadable as error:
        said = f'the body may be {{"inputs": {{…}}, "id": …}}, and cannot be read: {error.__cause__}'
        raise Problem(400, said) from None


def _said(count: int) -> str:
    return f"more than {COUNTED_MAX}" if count > COUNTED_MAX else str(count)


ROUTES = (ActingController,)
