"""The files of templates, as API and pages show, check and write them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from caroni_edge.base.text import is_unicode
from caroni_edge.documents.documents import Problem as FileProblem
from caroni_edge.documents.documents import Problems, nearest
from caroni_edge.documents.editing import (
    SOURCE_LIMIT_BYTES,
    may_name_file,
    read_source,
    write_source,
)
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.startform import form_of
from caroni_edge.manager.pages.templateshapes import (
    Finding,
    TemplateCheck,
    TemplateDetail,
    TemplateInput,
    TemplateOutput,
    TemplateStep,
    TemplateView,
)
from caroni_edge.manager.templates.library import SUFFIXES, Template, parse_template
from caroni_edge.web import editing
from caroni_edge.web.problems import Problem

HOW_TO_ALLOW = (
    "let the daemon's user write there (chgrp and chmod g+w); where systemd runs it, also ReadWritePaths={directory} "
    "by `systemctl edit caroni-edge-manager`"
)


def why_not_edited(manager: ManagerApi) -> str | None:
    """Return why pages and API cannot change templates, for people; None when they can."""
    settings = manager.reactor.settings
    return editing.why_not_edited("manager", settings, settings.templates, HOW_TO_ALLOW)


def detail(manager: ManagerApi, name: str) -> TemplateDetail:
    """Return a template and its file.

    Raises:
        Problem: 404, there is neither.
    """
    templates, path = manager.templates(), path_of(manager, name)
    loaded, problems, source = templates.get(name), templates.errors.get(name, ()), read_source(path)
    if loaded is None and not problems:
        _no_template(name, [*templates.loaded, *templates.errors])
    with manager.look() as views:
        return TemplateDetail(
            name=name,
            template=template_view(loaded) if loaded else None,
            findings=[_finding(each, path) for each in (*problems, *(loaded.warnings if loaded else ()))],
            agents=views.check_agents(loaded.plan, manager.reactor.settings) if loaded else [],
            form=form_of(loaded.plan) if loaded else [],
            file=str(path),
            source=source.text if source else None,
            mark=source.mark if source else None,
            why_not_edited=why_not_edited(manager),
            versions=views.versions(name, loaded.hash if loaded else None),
            pause=views.pause_view(name),
        )


def path_of(manager: ManagerApi, name: str) -> Path:
    """Return the file of a template, also of one that is not there yet.

    Raises:
        Problem: 404, no file can have that name.
    """
    if not may_name_file(name):
        _no_template(name)
    loaded = manager.templates().get(name)
    paths = [manager.reactor.settings.templates / f"{name}{suffix}" for suffix in SUFFIXES]
    known = [loaded.path] if loaded else []
    return next((path for path in (*known, *paths) if path.exists()), paths[0])


def check(manager: ManagerApi, name: str, text: str) -> TemplateCheck:
    """Say what is wrong with a text as the file of a template, and with the agents that are to run it.

    Args:
        manager: Whose template it would be.
        name: Of the template.
        text: All of it.
    """
    path = path_of(manager, name)
    if not is_unicode(text) or len(text.encode()) > SOURCE_LIMIT_BYTES:
        what = f"a template is text in UTF-8, {SOURCE_LIMIT_BYTES >> 10} KiB at most"
        return _unreadable([Finding(file=None, line=None, what=what, warning=False)])
    try:
        found = parse_template(text, path, manager.reactor.settings.roots)
    except Problems as wrong:
        return _unreadable([_finding(each, path) for each in wrong.problems])
    with manager.look() as views:
        agents = views.check_agents(found.plan, manager.reactor.settings)
    findings = [_finding(each, path) for each in found.warnings]
    return TemplateCheck(findings=findings, agents=agents, version=found.hash, form=form_of(found.plan))


def save(manager: ManagerApi, name: str, text: str, mark: str | None) -> None:
    """Write the file of a template, and read all templates anew.

    Args:
        manager: Whose template it is.
        name: Of the template.
        text: What the file shall say.
        mark: That of what was read; None: there was no file.

    Raises:
        Problem: It cannot be written, is wrong, or has changed since it was read; nothing has changed then.
    """
    if why := why_not_edited(manager):
        raise Problem(403, why)
    checked = check(manager, name, text)
    if checked["version"] is None:
        raise Problem(422, "\n".join(said(each) for each in checked["findings"] if not each["warning"]), "source")
    with editing.changing():
        write_source(path_of(manager, name), text, mark)
        manager.reload_templates()


def said(finding: Finding) -> str:
    """Return a finding with its file and line, for people."""
    where = [finding["file"]] if finding["file"] else []
    where += [f"line {finding['line']}"] if finding["line"] is not None else []
    return f"{', '.join(where)}: {finding['what']}" if where else finding["what"]


def template_view(template: Template) -> TemplateView:
    """Return what is shown of a template that is loaded."""
    plan = template.plan
    return TemplateView(
        name=template.name,
        file=str(template.path),
        hash=template.hash,
        inputs=[TemplateInput(name=each.name, type=each.type, default=each.default) for each in plan.inputs],
        outputs=[TemplateOutput(name=each.name, type=each.type) for each in plan.outputs],
        steps=[
            TemplateStep(
                name=each.name, kind=each.kind, job_type=each.job_type or None, waits_for=sorted(each.waits_for)
            )
            for each in plan.steps
        ],
        warnings=[str(problem) for problem in template.warnings],
    )


def _unreadable(findings: list[Finding]) -> TemplateCheck:
    return TemplateCheck(findings=findings, agents=[], version=None, form=[])


def _finding(problem: FileProblem, path: Path) -> Finding:
    where, _, line = problem.where.rpartition(":")
    file = where if line.isdecimal() else problem.where
    return Finding(
        file=None if file == str(path) else Path(file).name,
        line=int(line) if line.isdecimal() else None,
        what=problem.what,
        warning=problem.warning,
    )


def _no_template(name: str, known: Iterable[str] = ()) -> NoReturn:
    raise Problem(404, f"there is no template {name}{nearest(name, known)}")
