"""The files of job types, as API and pages show, check, write and delete them."""

import os
from pathlib import Path
from typing import NoReturn

from caroni_edge.agent.fitness import why_not_here
from caroni_edge.agent.jobs.inputs import CannotRun
from caroni_edge.agent.jobs.trials import TrialRefused
from caroni_edge.agent.jobtypes import SUFFIXES, parse_job_type
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.agent.pages.shapes import CheckView, Finding, JobTypeDetail, JobView
from caroni_edge.agent.pages.typeviews import job_type_view
from caroni_edge.base.text import is_unicode
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.documents.documents import Problem as FileProblem
from caroni_edge.documents.documents import Problems
from caroni_edge.documents.editing import (
    SOURCE_LIMIT_BYTES,
    delete_source,
    may_name_file,
    read_source,
    write_source,
)
from caroni_edge.protocol.messages import Values
from caroni_edge.web import editing
from caroni_edge.web.problems import Problem

HOW_TO_ALLOW = (
    "let the daemon's user write there (chgrp and chmod g+w), which its jobs can do then too; where systemd runs it, "
    "also ReadWritePaths={directory} by `systemctl edit caroni-edge-agent`"
)


def why_not_edited(agent: AgentApi) -> str | None:
    """Return why pages and API cannot change job types, for people; None when they can."""
    settings = agent.reactor.settings
    return editing.why_not_edited("agent", settings, settings.job_types, HOW_TO_ALLOW)


def detail(agent: AgentApi, name: str, *, with_source: bool) -> JobTypeDetail:
    """Return a job type and its file; `with_source`: for who may see what it says.

    Raises:
        Problem: 404, there is neither.
    """
    types = agent.reactor.job_types
    loaded, problems, path = types.get(name), types.errors.get(name, ()), path_of(agent, name)
    source = read_source(path)
    if loaded is None and not problems and source is None:
        _no_job_type(name)
    with agent.look() as views:
        versions = views.versions(name, loaded.version if loaded else None)
    return JobTypeDetail(
        name=name,
        job_type=job_type_view(loaded) if loaded else None,
        problems=[_finding(each) for each in problems],
        file=str(path),
        source=source.text if source and with_source else None,
        mark=source.mark if source and with_source else None,
        why_not_edited=why_not_edited(agent),
        versions=versions,
    )


def path_of(agent: AgentApi, name: str) -> Path:
    """Return the file of a job type, also of one that is not there yet.

    Raises:
        Problem: 404, no file can have that name.
    """
    loaded = agent.reactor.job_types.get(name)
    if loaded is not None:
        return loaded.path
    if not may_name_file(name):
        _no_job_type(name)
    paths = [agent.reactor.settings.job_types / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in paths if path.exists()), paths[0])


def check(agent: AgentApi, name: str | None, text: str) -> CheckView:
    """Say what is wrong with the text of a job type.

    Args:
        agent: Whose job type it would be.
        name: Of the job type whose file it would be; None for a new one, whose name the text says.
        text: All of it.
    """
    problems: list[Finding] = []
    if not is_unicode(text) or len(text.encode()) > SOURCE_LIMIT_BYTES:
        what = f"a job type is text in UTF-8, {SOURCE_LIMIT_BYTES >> 10} KiB at most"
        return CheckView(problems=[Finding(line=None, what=what)], name=None, version=None)
    path = path_of(agent, name) if name else agent.reactor.settings.job_types / "new.yaml"
    try:
        found = parse_job_type(text, path)
    except Problems as wrong:
        return CheckView(problems=[_finding(each) for each in wrong.problems], name=None, version=None)
    if why_not := why_not_here(found, agent.reactor.settings, os.environ.get(CREDENTIALS), agent.reactor.able):
        problems.append(Finding(line=None, what=why_not))
    other = agent.reactor.job_types.get(found.name)
    if other is not None and (name is None or other.path != path):
        problems.append(Finding(line=None, what=f'"{found.name}" is the name of {other.path.name} already'))
    return CheckView(problems=problems, name=found.name, version=found.version)


def save(agent: AgentApi, name: str | None, text: str, mark: str | None) -> str:
    """Write the file of a job type and read all job types anew; return the name that it has now.

    Args:
        agent: Whose job type it is.
        name: Of the job type whose file it is; None for a new one.
        text: What the file shall say.
        mark: That of what was read; None: there was no file.

    Raises:
        Problem: It cannot be written, is wrong, or has changed since it was read; nothing has changed then.
    """
    _check_may_edit(agent)
    checked = check(agent, name, text)
    if checked["problems"] or checked["name"] is None:
        raise Problem(422, "\n".join(said(each) for each in checked["problems"]), "source")
    path = path_of(agent, name or checked["name"])
    if mark is None and name is not None and checked["name"] != name:
        raise Problem(422, f'the text names the job type "{checked["name"]}", not "{name}"', "source")
    with editing.changing():
        write_source(path, text, mark)
        agent.reload_types()
    return checked["name"]


def delete(agent: AgentApi, name: str, mark: str) -> None:
    """Delete the file of a job type, and read all job types anew.

    Raises:
        Problem: It cannot be deleted, is not there, or has changed since it was read; nothing has changed then.
    """
    _check_may_edit(agent)
    path = path_of(agent, name)
    if read_source(path) is None:
        _no_job_type(name)
    with editing.changing():
        delete_source(path, mark)
        agent.reload_types()


def begin_trial(agent: AgentApi, name: str, inputs: Values) -> JobView:
    """Run a job type on inputs as a job would run it, for nobody; return the job.

    Raises:
        Problem: There is no such job type, the inputs do not fit, another trial runs, or no slot is free.
    """
    if agent.reactor.job_types.get(name) is None:
        _no_job_type(name)
    agent.check_taken_over()
    try:
        job = agent.commands.call(lambda at: agent.reactor.try_job_type(name, inputs, at))
    except CannotRun as error:
        raise Problem(422, str(error), "inputs") from None
    except TrialRefused as error:
        raise Problem(409, f"{error} {error.advice}") from None
    return agent.job(job)


def said(finding: Finding) -> str:
    """Return what is wrong, with its line, for people."""
    return finding["what"] if finding["line"] is None else f"line {finding['line']}: {finding['what']}"


def _check_may_edit(agent: AgentApi) -> None:
    if why := why_not_edited(agent):
        raise Problem(403, why)


def _finding(problem: FileProblem) -> Finding:
    line = problem.where.rpartition(":")[2]
    return Finding(line=int(line) if line.isdecimal() else None, what=problem.what)


def _no_job_type(name: str) -> NoReturn:
    raise Problem(404, f"there is no job type {name}")
