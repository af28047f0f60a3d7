"""The manager's JSON API and page of what starts workflows by itself."""

import time
from collections.abc import Iterator

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Template

from caroni_edge.doctor.findings import Finding
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.automation import SAID, NotifyPage, SchedulePage, TriggerPage, findings
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


def read_notify(manager: ManagerApi) -> NotifyPage:
    """Return who is told of what, as it stands now."""
    with manager.look() as views:
        return views.automation.notify(manager.reactor.settings)


@get("/api/notify", tags=["triggers"], sync_to_thread=True)
def list_notify(manager: NamedDependency[ManagerApi]) -> NotifyPage:
    """List who is told of what by the configuration, what waits for whom, and what went wrong last."""
    return read_notify(manager)


@get("/triggers", include_in_schema=False, sync_to_thread=True)
def show_triggers(manager: NamedDependency[ManagerApi]) -> Template:
    """Show what starts workflows by itself."""
    return page(
        "manager/triggers.html",
        triggers=read_triggers(manager)["triggers"],
        said=SAID,
        schedules=read_schedules(manager)["schedules"],
        notify=read_notify(manager)["notify"],
    )


def find_problems(manager: ManagerApi) -> Iterator[Finding]:
    """Yield what somebody should look at, for the doctor."""
    return findings(read_triggers(manager), read_schedules(manager), read_notify(manager))


ROUTES = (list_triggers, list_schedules, list_notify)
PAGES = (show_triggers,)
MENU = (MenuItem("Triggers", "/triggers", ()),)
