"""The pages about job types: what there is, what it says, its versions; changing it, and trying it."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Redirect, Template

from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.pages import files
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.agent.pages.jobtypes import BODY_MAX_BYTES
from caroni_edge.agent.pages.typeviews import job_type_view
from caroni_edge.config.units import amount_text
from caroni_edge.values.carried import misfit_of
from caroni_edge.values.fields import field_of, value_of
from caroni_edge.web.audit import UNAUDITED
from caroni_edge.web.auth import Visitor
from caroni_edge.web.forms import fields
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import MenuItem, in_path, page

FIELD = "input-"
"""What the names of the fields for inputs begin with, so that none is a field of the form itself."""

STARTER = """\
name: upper
inputs: {message: string}
outputs: {result: string}
script: |
  echo "result=${CARONI_ENV_message^^}" >> "$CARONI_OUTPUTS"
limits: {timeout: 10m}
"""

Asked = Request[Visitor, Any, Any]


@get("/job-types", include_in_schema=False, sync_to_thread=True)
def show_job_types(agent: NamedDependency[AgentApi]) -> Template:
    """List the job types, and what is wrong with the files of others."""
    types = agent.reactor.job_types
    return page(
        "agent/job_types.html",
        job_types=[job_type_view(each) for each in types.loaded.values()],
        errors=types.errors,
        refuses=agent.reactor.refuses,
        directory=str(agent.reactor.settings.job_types),
        why_not_edited=files.why_not_edited(agent),
    )


@get("/job-types/{name:str}", include_in_schema=False, sync_to_thread=True)
def show_job_type(request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str]) -> Template:
    """Show a job type with its file and its versions."""
    detail = files.detail(agent, name, with_source=request.user.role == "operator")
    return page("agent/job_type.html", it=detail, refused=agent.reactor.refuses.get(name), amount=amount_text)


@get("/job-types/{name:str}/versions/{version:str}", include_in_schema=False, sync_to_thread=True)
def show_version(
    request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], version: FromPath[str]
) -> Template:
    """Show the text of a version."""
    with agent.look() as views:
        source = views.version_source(name, version)
        rows = [each for each in views.versions(name, None) if each["version"] == version]
    if source is None or not rows:
        raise Problem(404, f"there is no version {version} of a job type {name}")
    may_see = request.user.role == "operator"
    return page("agent/version.html", name=name, version=rows[0], source=source if may_see else None)


# Changing


@get("/new-job-type", include_in_schema=False, sync_to_thread=False)
def new_form(agent: NamedDependency[AgentApi]) -> Template:
    """Show the form for a new job type."""
    return _edit_page(agent, None, STARTER, None)


@post("/new-job-type", include_in_schema=False, sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES)
def make_job_type(request: Asked, agent: NamedDependency[AgentApi], body: RawBody) -> Redirect | Template:
    """Write the file of a new job type."""
    return _save(request, agent, None, fields(body))


@get("/job-types/{name:str}/edit", include_in_schema=False, sync_to_thread=True)
def edit_form(
    request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], version: FromQuery[str | None] = None
) -> Template:
    """Show the form to change a job type; `version` puts the text of an earlier one into it."""
    if request.user.role != "operator":
        raise Problem(403, f"{request.user.name} may look, and change nothing (role: viewer)")
    detail = files.detail(agent, name, with_source=True)
    text = detail["source"] or ""
    if version is not None:
        with agent.look() as views:
            text = views.version_source(name, version) or text
    return _edit_page(agent, name, text, detail["mark"])


@post("/job-types/{name:str}/edit", include_in_schema=False, sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES)
def edit_job_type(
    request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody
) -> Redirect | Template:
    """Write the file of a job type."""
    return _save(request, agent, name, fields(body))


@post(
    "/new-job-type/check",
    include_in_schema=False,
    status_code=200,
    sync_to_thread=True,
    request_max_body_size=BODY_MAX_BYTES,
    opt={UNAUDITED: True},
)
def check_new(agent: NamedDependency[AgentApi], body: RawBody) -> Template:
    """Say what is wrong with what was typed so far for a new job type."""
    return page("agent/check.html", check=files.check(agent, None, _text(fields(body))))


@post(
    "/job-types/{name:str}/check",
    include_in_schema=False,
    status_code=200,
    sync_to_thread=True,
    request_max_body_size=BODY_MAX_BYTES,
    opt={UNAUDITED: True},
)
def check_typed(agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody) -> Template:
    """Say what is wrong with what was typed so far for a job type."""
    return page("agent/check.html", check=files.check(agent, name, _text(fields(body))))


@post("/job-types/{name:str}/delete", include_in_schema=False, sync_to_thread=True)
def delete_job_type(request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody) -> Redirect:
    """Delete the file of a job type."""
    files.delete(agent, name, fields(body).get("mark", ""))
    request.user.note(f"The job type {name} is deleted.")
    return Redirect("/job-types", status_code=303)


def _save(request: Asked, agent: AgentApi, name: str | None, given: Mapping[str, str]) -> Redirect | Template:
    text = _text(given)
    try:
        now = files.save(agent, name, text, given.get("mark") or None)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        mark = given.get("mark") or None
        there = None
        if problem.status == 409 and name is not None:
            detail = files.detail(agent, name, with_source=True)
            there, mark = detail["source"], detail["mark"]
        return _edit_page(agent, name, text, mark, problem, there)
    request.user.note(f"The job type {now} is saved, and in force: jobs that start from now on run it.")
    return Redirect(f"/job-types/{in_path(now)}", status_code=303)


def _edit_page(
    agent: AgentApi,
    name: str | None,
    text: str,
    mark: str | None,
    problem: Problem | None = None,
    there: str | None = None,
) -> Template:
    """Return the form with what was typed; `there`: what the file says now, where that is something else."""
    return page(
        "agent/edit.html",
        http_status=problem.status if problem else 200,
        name=name,
        text=text,
        mark=mark or "",
        check=files.check(agent, name, text),
        problem=problem.error if problem and problem.status == 409 else None,
        there=there,
        why_not_edited=files.why_not_edited(agent),
        directory=str(agent.reactor.settings.job_types),
    )


def _text(given: Mapping[str, str]) -> str:
    """Return the text of a form as a file has it: browsers send lines that end in CR LF."""
    text = given.get("source", "").replace("\r\n", "\n")
    return text if not text or text.endswith("\n") else f"{text}\n"


# Trying


@get("/job-types/{name:str}/try", include_in_schema=False, sync_to_thread=True)
def try_form(agent: NamedDependency[AgentApi], name: FromPath[str], job: FromQuery[str | None] = None) -> Template:
    """Show the form to try a job type; `job`: one whose inputs are put into it."""
    job_type = _loaded(agent, name)
    given = agent.job(job)["inputs"] if job is not None else {}
    asked = [field_of(name, kind, given.get(name)) for name, kind in job_type.inputs.items()]
    return _try_page(agent, job_type, {each["name"]: each["default"] for each in asked})


@post("/job-types/{name:str}/try", include_in_schema=False, sync_to_thread=True)
def try_job_type(
    request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody
) -> Redirect | Template:
    """Run a job type on the inputs of the form."""
    job_type = _loaded(agent, name)
    given = fields(body)
    typed = {key: given.get(f"{FIELD}{key}", "").replace("\r\n", "\n") for key in job_type.inputs}
    inputs, errors = _read(job_type, typed)
    if errors:
        return _try_page(agent, job_type, typed, errors)
    try:
        job = files.begin_trial(agent, name, inputs)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return _try_page(agent, job_type, typed, problem=problem)
    request.user.note("The trial runs. No manager hears of it.")
    return Redirect(f"/jobs/{job['id']}", status_code=303)


def _try_page(
    agent: AgentApi,
    job_type: JobType,
    typed: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    problem: Problem | None = None,
) -> Template:
    status = problem.status if problem else 422 if errors else 200
    return page(
        "agent/try.html",
        http_status=status,
        it=job_type_view(job_type),
        asked=[field_of(name, kind, None) for name, kind in job_type.inputs.items()],
        typed=typed,
        errors=errors or {},
        problem=problem.error if problem else None,
        slots=agent.reactor.settings.slots,
    )


def _read(job_type: JobType, typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the inputs that were typed, and what is wrong with those that do not fit."""
    inputs: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, kind in job_type.inputs.items():
        try:
            value = value_of(kind, typed[name])
        except ValueError as error:
            errors[name] = str(error)
            continue
        if value is None and not kind.optional:
            errors[name] = f"is needed: {kind}"
        elif value is not None and (wrong := misfit_of(kind, value)):
            errors[name] = wrong
        elif value is not None:
            inputs[name] = value
    return inputs, errors


def _loaded(agent: AgentApi, name: str) -> JobType:
    job_type = agent.reactor.job_types.get(name)
    if job_type is None:
        raise Problem(404, f"there is no job type {name}")
    return job_type


PAGES = (
    show_job_types,
    show_job_type,
    show_version,
    new_form,
    make_job_type,
    edit_form,
    edit_job_type,
    check_new,
    check_typed,
    delete_job_type,
    try_form,
    try_job_type,
)
MENU = (MenuItem("Job types", "/job-types", ("/job-types/", "/new-job-type")),)
