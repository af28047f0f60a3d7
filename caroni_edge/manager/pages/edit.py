"""The file of a template, written on a page: looked at as one types, and never saved while something is wrong."""

from typing import Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from litestar.response import Redirect, Template

from caroni_edge.manager.pages import template_files
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.templateshapes import TemplateCheck
from caroni_edge.web.audit import ACTION, UNAUDITED
from caroni_edge.web.forms import fields
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import page

BODY_MAX_BYTES = 3 << 20
"""A form writes most signs of a text in three bytes."""
NEW = """\
cwlVersion: v1.2
class: Workflow
inputs:
  message: string
steps:
  first:
    run:
      class: Operation
      inputs: {message: string}
      outputs: {result: string}
    hints: {caroni:JobType: {name: JOB_TYPE}}
    in: {message: message}
    out: [result]
outputs:
  result: {type: string, outputSource: first/result}
"""


class NewTemplatePage(Controller):
    """Where a new template is written."""

    path = "/new-template"
    include_in_schema = False

    @get(sync_to_thread=True)
    def show(self, manager: NamedDependency[ManagerApi]) -> Template:
        """Show an example, to be changed."""
        return _form("", NEW, None, None, template_files.why_not_edited(manager))

    @post(sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES, opt={ACTION: "save template"})
    def save(
        self, request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], body: RawBody
    ) -> Redirect | Template:
        """Write the file of a new template."""
        sent = fields(body)
        return _saved(request, manager, sent.get("name", "").strip(), sent, is_new=True)


class EditPage(Controller):
    """Where the file of a template is changed."""

    path = "/templates/{name:str}/edit"
    include_in_schema = False

    @get(sync_to_thread=True)
    def show(self, manager: NamedDependency[ManagerApi], name: FromPath[str]) -> Template:
        """Show the file of a template, to be changed."""
        found = template_files.detail(manager, name)
        if found["source"] is None:
            raise Problem(404, f"the file of the template {name} cannot be read: {found['file']}")
        checked = template_files.check(manager, name, found["source"])
        return _form(name, found["source"], found["mark"], checked, found["why_not_edited"])

    @post(sync_to_thread=True, request_max_body_size=BODY_MAX_BYTES, opt={ACTION: "save template"})
    def save(
        self, request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str], body: RawBody
    ) -> Redirect | Template:
        """Write the file of a template."""
        return _saved(request, manager, name, fields(body), is_new=False)


@post(
    "/check-template",
    include_in_schema=False,
    sync_to_thread=True,
    request_max_body_size=BODY_MAX_BYTES,
    opt={UNAUDITED: True},
)
def look_at(manager: NamedDependency[ManagerApi], body: RawBody) -> Template:
    """Show what is wrong with a text, as it is typed."""
    sent = fields(body)
    checked = template_files.check(manager, sent.get("name", "").strip() or "new", _source(sent))
    return page("manager/edit-check.html", checked=checked, said=template_files.said)


def _saved(
    request: Request[Any, Any, Any], manager: ManagerApi, name: str, sent: dict[str, str], *, is_new: bool
) -> Redirect | Template:
    source, mark = _source(sent), None if is_new else sent.get("mark", "")
    if not name:
        return _form(name, source, mark, None, None, error="A template needs a name: that of its file.")
    try:
        template_files.save(manager, name, source, mark)
    except Problem as problem:
        if problem.status not in (404, 409, 422):
            raise
        checked = template_files.check(manager, name, source) if problem.status != 404 else None
        error = f"{name} cannot be the name of a file" if problem.status == 404 else problem.error
        return _form("" if is_new else name, source, mark, checked, None, error=error, given_name=name)
    request.user.note(f"{name} is saved; new runs are started from it, and what runs keeps what it began with.")
    return Redirect(f"/templates/{name}", status_code=303)


def _form(
    name: str,
    source: str,
    mark: str | None,
    checked: TemplateCheck | None,
    why_not: str | None,
    error: str = "",
    given_name: str = "",
) -> Template:
    return page(
        "manager/edit.html",
        http_status=422 if error else 200,
        name=name,
        given_name=given_name,
        source=source,
        mark=mark,
        checked=checked,
        why_not=why_not,
        error=error,
        said=template_files.said,
    )


def _source(sent: dict[str, str]) -> str:
    """Return the text of a form's area: browsers end its lines with CR and LF."""
    return sent.get("source", "").replace("\r\n", "\n")


PAGES = (NewTemplatePage, EditPage, look_at)
