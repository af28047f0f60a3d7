"""The manager's JSON API about templates: what is loaded, their files, checking, changing and pausing them."""

from typing import Any

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from caroni_edge.manager.pages import template_files
from caroni_edge.manager.pages.api import ManagerApi, on_refused
from caroni_edge.manager.pages.template_files import template_view
from caroni_edge.manager.pages.templateshapes import PauseView, TemplateCheck, TemplateDetail, TemplatePage
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.web.audit import UNAUDITED
from caroni_edge.web.forms import json_object
from caroni_edge.web.problems import Problem

BODY_MAX_BYTES = 1 << 20


class TemplatesController(Controller):
    """Templates: what workflows can be started from, and whether they begin at once."""

    path = "/api/templates"
    tags = ("templates",)
    exception_handlers = {Refused: on_refused}  # noqa: RUF012 - so Litestar wants it

    @get(sync_to_thread=True)
    def list_templates(self, manager: NamedDependency[ManagerApi]) -> TemplatePage:
        """List the templates that are loaded, what is wrong with the others, and which are paused."""
        templates = manager.templates()
        errors = {name: [str(problem) for problem in problems] for name, problems in templates.errors.items()}
        with manager.look() as views:
            paused, last_runs = views.pauses(), views.last_runs([*templates.loaded, *templates.errors])
        return TemplatePage(
            templates=[template_view(each) for each in templates.loaded.values()],
            errors=errors,
            paused=paused,
            last_runs=last_runs,
        )

    @get("/{name:str}", sync_to_thread=True)
    def show(self, manager: NamedDependency[ManagerApi], name: FromPath[str]) -> TemplateDetail:
        """Show a template with its file, its form, its versions, and what keeps the agents from running it."""
        return template_files.detail(manager, name)

    @post(
        "/{name:str}/check",
        status_code=200,
        sync_to_thread=True,
        request_max_body_size=BODY_MAX_BYTES,
        opt={UNAUDITED: True},
    )
    def check(self, manager: NamedDependency[ManagerApi], name: FromPath[str], body: RawBody) -> TemplateCheck:
        """Say what is wrong with a text, `{"source": …}`, as this template, and whether the agents could run it."""
        return template_files.check(manager, name, _source(json_object(body)))

    @put("/{name:str}", sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES)
    def save(self, manager: NamedDependency[ManagerApi], name: FromPath[str], body: RawBody) -> TemplateDetail:
        """Write the file, `{"source": …, "mark": …}`, and take over the templates; `mark` null makes a new one."""
        given = json_object(body)
        mark = given.get("mark")
        if mark is not None and not isinstance(mark, str):
            raise Problem(422, "mark is the text that was read with the source, or null for a new template", "mark")
        template_files.save(manager, name, _source(given), mark)
        return template_files.detail(manager, name)

    @post("/{name:str}/pause", status_code=200, sync_to_thread=True)
    def pause(self, manager: NamedDependency[ManagerApi], name: FromPath[str]) -> PauseView:
        """Hold the new workflows of a template, by whatever they are started; what runs goes on."""
        manager.commands.call(lambda at: manager.reactor.pause(name, at))
        with manager.look() as views:
            return views.pause_view(name)

    @post("/{name:str}/resume", status_code=200, sync_to_thread=True)
    def resume(self, manager: NamedDependency[ManagerApi], name: FromPath[str]) -> PauseView:
        """Let the workflows of a template begin that are held, in their order; a few hundred take a moment."""
        manager.commands.call(lambda _at: manager.reactor.resume(name))
        with manager.look() as views:
            return views.pause_view(name)


ROUTES = (TemplatesController,)


def _source(given: dict[str, Any]) -> str:
    source = given.get("source")
    if not isinstance(source, str):
        raise Problem(422, "source is the text of a template", "source")
    return source
