"""The agent's JSON API about job types: what is there, their files and versions, checking, changing and trying them."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody

from caroni_edge.agent.pages import files
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.agent.pages.shapes import CheckView, JobTypeDetail, JobTypePage, JobView, VersionText
from caroni_edge.agent.pages.typeviews import job_type_view
from caroni_edge.web.audit import UNAUDITED
from caroni_edge.web.auth import Visitor
from caroni_edge.web.forms import json_object
from caroni_edge.web.problems import Problem

BODY_MAX_BYTES = 1 << 20

Mark = Annotated[str, QueryParameter(description="The `mark` of what was read.")]
Asked = Request[Visitor, Any, Any]


class JobTypesController(Controller):
    """Job types and their files."""

    path = "/api/job-types"
    tags = ("job types",)

    @get(sync_to_thread=False)
    def list_job_types(self, agent: NamedDependency[AgentApi]) -> JobTypePage:
        """List the job types that are loaded, and what is wrong with the others."""
        types = agent.reactor.job_types
        errors = {name: [str(problem) for problem in problems] for name, problems in types.errors.items()}
        return JobTypePage(job_types=[job_type_view(each) for each in types.loaded.values()], errors=errors)

    @get("/{name:str}", sync_to_thread=True)
    def show(self, request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str]) -> JobTypeDetail:
        """Show a job type with its file and its versions; what the file says is for operators."""
        return files.detail(agent, name, with_source=request.user.role == "operator")

    @get("/{name:str}/versions/{version:str}", sync_to_thread=True)
    def show_version(
        self, request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], version: FromPath[str]
    ) -> VersionText:
        """Show the text that a version was read from, to operators."""
        with agent.look() as views:
            source = views.version_source(name, version)
        if source is None:
            raise Problem(404, f"there is no version {version} of a job type {name}")
        return VersionText(version=version, source=source or None if request.user.role == "operator" else None)

    @post(
        "/{name:str}/check",
        status_code=200,
        sync_to_thread=True,
        request_max_body_size=BODY_MAX_BYTES,
        opt={UNAUDITED: True},
    )
    def check(self, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody) -> CheckView:
        """Say what is wrong with a text, `{"source": …}`, as the file of this job type."""
        return files.check(agent, name, _source(json_object(body)))

    @put("/{name:str}", sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES)
    def save(
        self, request: Asked, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody
    ) -> JobTypeDetail:
        """Write the file, `{"source": …, "mark": …}`, and take over the job types; `mark` null makes a new one."""
        given = json_object(body)
        mark = given.get("mark")
        if mark is not None and not isinstance(mark, str):
            raise Problem(422, "mark is the text that was read with the source, or null for a new job type", "mark")
        now = files.save(agent, name, _source(given), mark)
        return files.detail(agent, now, with_source=True)

    @delete("/{name:str}", sync_to_thread=True)
    def delete(self, agent: NamedDependency[AgentApi], name: FromPath[str], mark: Mark) -> None:
        """Delete the file, and take over the job types: jobs of this type that wait are given back."""
        files.delete(agent, name, mark)

    @post("/{name:str}/try", status_code=201, sync_to_thread=True)
    def begin_trial(self, agent: NamedDependency[AgentApi], name: FromPath[str], body: RawBody) -> JobView:
        """Run it on inputs, `{"inputs": {…}}`, as a job would run, for no manager; the answer is the job."""
        inputs = json_object(body).get("inputs", {})
        if not isinstance(inputs, dict):
            raise Problem(422, "inputs are an object, a value for each name", "inputs")
        return files.begin_trial(agent, name, inputs)


def _source(given: dict[str, Any]) -> str:
    source = given.get("source")
    if not isinstance(source, str):
        raise Problem(422, "source is the text of a job type", "source")
    return source


ROUTES = (JobTypesController,)
