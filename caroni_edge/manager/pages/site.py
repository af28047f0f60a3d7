"""What a manager serves: its pages and its API, behind what every node has."""

from pathlib import Path

from caroni_edge.manager.pages import (
    api,
    api_acting,
    api_automation,
    api_flows,
    api_objects,
    api_outline,
    api_templates,
    files,
    fleet,
    many,
    run,
    run_acting,
    runs,
    step,
    templates,
)
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.times import WorkflowTimes
from caroni_edge.web.given import Giving
from caroni_edge.web.site import Site

ROUTES = (
    *api.ROUTES,
    *api_acting.ROUTES,
    *api_flows.ROUTES,
    *api_objects.ROUTES,
    *api_outline.ROUTES,
    *api_templates.ROUTES,
    *api_automation.ROUTES,
    *files.ROUTES,
)
PAGES = (
    *runs.PAGES,
    *many.PAGES,
    *run.PAGES,
    *run_acting.PAGES,
    *step.PAGES,
    *files.PAGES,
    *templates.PAGES,
    *api_automation.PAGES,
    *fleet.PAGES,
)
MENU = (*runs.MENU, *templates.MENU, *api_automation.MENU, *fleet.MENU)


def make_site(api: ManagerApi, state_dir: Path, giving: Giving | None = None) -> Site:
    """Return the manager's part of what is served; made passwords and tokens are kept in `state_dir`."""
    times = WorkflowTimes(api.readers)
    return Site(
        api.node,
        api.readers,
        state_dir,
        lambda: api.reactor.settings,
        api.commands,
        (*ROUTES, *PAGES),
        {"manager": api},
        menu=MENU,
        metrics=lambda: [*api.metrics(), *times.collect()],
        dates=api.dates,
        giving=giving,
        findings=lambda: api_automation.find_problems(api),
    )
