"""The manager's JSON API and page of what starts workflows by itself."""

import time

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Template

from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.automation import SAID, SchedulePage, TriggerPage
from caroni_edge.web.templating import MenuItem, page


def read_triggers(manager: ManagerApi) -> TriggerPage:
    """Return the triggers as they are now."""
    with manager.look() as views:
        return views.automation.triggers(manager.reactor.settings, frozenset(manager.templates().loaded))


@get("/api/triggers", tags=["triggers"], sync_to_thread=True)
def list_triggers(manager: NamedDependency[ManagerApi]) -> TriggerPage:
    """List the triggers of the configuration: what they listen to, what they started, and why not what else."""
    return read_triggers(manager)


def read_schedules(manager: ManagerApi) -> SchedulePage:
    """Return the schedules as they are now."""
    with manager.look() as views:
        templates = frozenset(manager.templates().loaded)
        return views.automation.schedules(manager.reactor.settings, templates, time.time())


@get("/api/schedules", tags=["triggers"], sync_to_thread=True)
def list_schedules(manager: NamedDependency[ManagerApi]) -> SchedulePage:
    """List the schedules of the configuration: what comes next, what was started last, and what was missed and why."""
    return read_schedules(manager)


@get("/triggers", include_in_schema=False, sync_to_thread=True)
def show_triggers(manager: NamedDependency[ManagerApi]) -> Template:
    """Show what starts workflows by itself."""
    return page(
        "manager/triggers.html",
        triggers=read_triggers(manager)["triggers"],
        said=SAID,
        schedules=read_schedules(manager)["schedules"],
    )


ROUTES = (list_triggers, list_schedules)
PAGES = (show_triggers,)
MENU = (MenuItem("Triggers", "/triggers", ()),)
