"""The templates: what can be started, what is wrong with those that cannot, and which are paused."""

from typing import Any, NoReturn

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from caroni_edge.manager.pages import edit, start, template_files
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.graph import draw_few
from caroni_edge.manager.pages.template_files import template_view
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import MenuItem, page

LAST_RUNS = 10


@get("/templates", include_in_schema=False, sync_to_thread=True)
def show_templates(manager: NamedDependency[ManagerApi]) -> Template:
    """Show the templates."""
    templates = manager.templates()
    with manager.look() as views:
        paused = views.pauses()
    loaded = [template_view(each) for each in templates.loaded.values()]
    may_edit = template_files.why_not_edited(manager) is None
    return page("manager/templates.html", loaded=loaded, errors=templates.errors, paused=paused, may_edit=may_edit)


@get("/templates/{name:str}", include_in_schema=False, sync_to_thread=True)
def show_template(manager: NamedDependency[ManagerApi], name: FromPath[str]) -> Template:
    """Show a template: what it asks for, what it runs, what keeps the agents from it, its versions and last runs."""
    shown = template_files.detail(manager, name)
    with manager.look() as views:
        runs = views.workflows(WorkflowFilter(template=name), LAST_RUNS, None)["workflows"]
    steps = shown["template"]["steps"] if shown["template"] else []
    types = {step["name"]: step["job_type"] or step["kind"] for step in steps}
    drawing = draw_few({step["name"]: step["waits_for"] for step in steps}) if steps else None
    return page("manager/template.html", shown=shown, runs=runs, drawing=drawing, types=types, said=template_files.said)


@post("/templates/{name:str}/pause", include_in_schema=False, sync_to_thread=True)
def pause_template(
    request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str]
) -> Redirect:
    """Hold the new workflows of a template."""
    try:
        manager.commands.call(lambda at: manager.reactor.pause(name, at))
    except Refused:
        _no_template(name)
    request.user.note(f"{name} is paused: its new runs are held until it is resumed, and what runs goes on.")
    return Redirect(f"/templates/{name}", status_code=303)


@post("/templates/{name:str}/resume", include_in_schema=False, sync_to_thread=True)
def resume_template(
    request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str]
) -> Redirect:
    """Let the workflows of a template begin that are held."""
    try:
        manager.commands.call(lambda _at: manager.reactor.resume(name))
    except Refused:
        _no_template(name)
    request.user.note(f"{name} is resumed: what was held begins, in its order.")
    return Redirect(f"/templates/{name}", status_code=303)


def _no_template(name: str) -> NoReturn:
    raise Problem(404, f"there is no template {name}")


PAGES = (show_templates, show_template, pause_template, resume_template, *start.PAGES, *edit.PAGES)
MENU = (MenuItem("Templates", "/templates", ("/templates/", "/new-template")),)
