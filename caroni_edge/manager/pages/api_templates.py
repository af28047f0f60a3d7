"""The manager's JSON API about templates: what is loaded, what is paused."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from caroni_edge.manager.pages.api import ManagerApi, on_refused
from caroni_edge.manager.pages.shapes import (
    PauseView,
    TemplateInput,
    TemplateOutput,
    TemplatePage,
    TemplateStep,
    TemplateView,
)
from caroni_edge.manager.templates.library import Template
from caroni_edge.manager.triggers.triggers import Refused


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
            paused = views.pauses()
        return TemplatePage(
            templates=[template_view(each) for each in templates.loaded.values()], errors=errors, paused=paused
        )

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


def template_view(template: Template) -> TemplateView:
    """Return a template as it is shown."""
    plan = template.plan
    return TemplateView(
        name=template.name,
        file=str(template.path),
        hash=template.hash,
        inputs=[TemplateInput(name=each.name, type=each.type, default=each.default) for each in plan.inputs],
        outputs=[TemplateOutput(name=each.name, type=each.type) for each in plan.outputs],
        steps=[
            TemplateStep(name=each.name, job_type=each.job_type or None, waits_for=sorted(each.waits_for))
            for each in plan.steps
        ],
        warnings=[str(problem) for problem in template.warnings],
    )
