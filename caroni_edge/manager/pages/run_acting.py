"""What people do with a run by the forms of its pages: as the API does it, and back to a page."""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap

from caroni_edge.manager.pages.api import ManagerApi, on_refused
from caroni_edge.manager.triggers.triggers import Refused

REFUSED: ExceptionHandlersMap = {Refused: on_refused}


@post("/runs/{workflow:str}/cancel", include_in_schema=False, sync_to_thread=True, exception_handlers=REFUSED)
def cancel(request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Redirect:
    """End a run."""
    manager.commands.call(lambda at: manager.reactor.cancel(workflow, at))
    return _done(request, f"/runs/{workflow}", f"{workflow} is cancelled.")


@post("/runs/{workflow:str}/retry", include_in_schema=False, sync_to_thread=True, exception_handlers=REFUSED)
def retry(request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Redirect:
    """Give what has failed, or is in doubt, fresh attempts."""
    manager.commands.call(lambda at: manager.reactor.retry(workflow, at))
    return _done(request, f"/runs/{workflow}", "What had failed gets fresh attempts.")


@post("/runs/{workflow:str}/rerun", include_in_schema=False, sync_to_thread=True, exception_handlers=REFUSED)
def rerun(request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Redirect:
    """Start another run of the same template with the same inputs."""
    started, _ = manager.commands.call(lambda at: manager.reactor.rerun(workflow, {}, None, at))
    return _done(request, f"/runs/{started}", f"This run has the inputs of {workflow}.")


@post("/runs/{workflow:str}/delete", include_in_schema=False, sync_to_thread=True, exception_handlers=REFUSED)
def delete(request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], workflow: FromPath[str]) -> Redirect:
    """Delete a run that has ended."""
    manager.commands.call(lambda at: manager.reactor.delete(workflow, at))
    return _done(request, "/", f"{workflow} is deleted.")


def _done(request: Request[Any, Any, Any], leads_to: str, said: str) -> Redirect:
    request.user.note(said)
    return Redirect(leads_to, status_code=303)


PAGES = (cancel, retry, rerun, delete)
