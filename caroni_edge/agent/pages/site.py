"""What an agent serves: its pages and its API, behind what every node has."""

import os
from pathlib import Path

from caroni_edge.agent.pages import host, jobs, jobtypes, types
from caroni_edge.agent.pages.api import ROUTES, AgentApi
from caroni_edge.agent.pages.times import JobTimes
from caroni_edge.doctor.boxes import of_boxes
from caroni_edge.doctor.bucket import of_bucket
from caroni_edge.web.given import Giving
from caroni_edge.web.site import Site

PAGES = (*jobs.PAGES, *types.PAGES)
MENU = (*jobs.MENU, *types.MENU)


def make_site(api: AgentApi, state_dir: Path, giving: Giving | None = None) -> Site:
    """Return the agent's part of what is served; passwords and tokens that are made are kept in `state_dir`."""
    times = JobTimes(api.readers)
    return Site(
        api.node,
        api.readers,
        state_dir,
        lambda: api.reactor.settings,
        api.commands,
        (*ROUTES, *host.ROUTES, *jobtypes.ROUTES, *PAGES),
        {"agent": api},
        menu=MENU,
        metrics=lambda: [*api.metrics(), *times.collect()],
        dates=api.dates,
        giving=giving,
        findings=lambda: [
            of_boxes(api.reactor.settings.sandbox, api.reactor.able, os.geteuid()),
            *of_bucket(api.reactor.settings.files.bucket, api.reactor.bucket_trouble),
        ],
    )
