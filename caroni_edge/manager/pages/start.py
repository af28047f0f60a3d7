"""The form that starts a workflow, with files where it asks for some.

It names the new one when it is shown, so sending it twice starts one workflow.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Redirect, Template

from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.api_objects import NO_ROOM, announced
from caroni_edge.manager.pages.startfiles import StartFiles
from caroni_edge.manager.pages.startform import form_of, read_form
from caroni_edge.manager.templates import library
from caroni_edge.manager.triggers.triggers import Refused, read_trigger
from caroni_edge.objects.objects import SIZE_MAX_BYTES
from caroni_edge.protocol.labels import as_list, read_labels
from caroni_edge.values.json import as_text
from caroni_edge.web.audit import ACTION, note
from caroni_edge.web.forms import fields
from caroni_edge.web.problems import Problem
from caroni_edge.web.streams import STREAMED, form_in
from caroni_edge.web.templating import page

ID_BYTES = 8
T = TypeVar("T")
INPUT, FILE = "input-", "file-"
"""What the fields of inputs begin with: an input may have any name."""


class StartPage(Controller):
    """The form of a template. Its two handlers share a path, so they stand together: Litestar wraps others twice."""

    path = "/templates/{name:str}/start"
    include_in_schema = False
    exception_handlers = NO_ROOM

    @get(sync_to_thread=True)
    def show(
        self,
        manager: NamedDependency[ManagerApi],
        name: FromPath[str],
        like: Annotated[str | None, QueryParameter(description="A workflow whose inputs the form shows.")] = None,
    ) -> Template:
        """Show the form for the inputs of a template."""
        template = _template(manager, name)
        given, labels = None, dict[str, str]()
        if like is not None:
            found = manager.workflow(like)
            if found["template"] != name:
                raise Problem(404, f"the workflow {like} is none of the template {name}")
            given, labels = found["inputs"], found["labels"]
        texts = {each["name"]: each["default"] for each in form_of(template.plan, given)}
        about = "\n".join(as_list(labels))
        return _form(manager, template, texts, {}, secrets.token_hex(ID_BYTES), labels=about, like=like)

    @post(sync_to_thread=True, opt={ACTION: "start workflow"})
    def start(
        self, request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str], body: RawBody
    ) -> Redirect | Template:
        """Start a workflow, or say which field is at fault."""
        return _start(request, manager, _template(manager, name), StartFiles(manager.storage, 0, fields(body)))

    @post("/files", opt={ACTION: "start workflow", STREAMED: True}, request_max_body_size=SIZE_MAX_BYTES)
    async def start_with_files(
        self, request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str]
    ) -> Redirect | Template:
        """Start a workflow with the files that a form brings; it is read as it comes."""
        template = await asyncio.to_thread(_template, manager, name)
        brought = StartFiles(manager.storage, announced(request))
        try:
            await brought.read(form_in(request).events())
            return await asyncio.to_thread(_start, request, manager, template, brought)
        finally:
            await asyncio.to_thread(brought.end)


def _start(
    request: Request[Any, Any, Any], manager: ManagerApi, template: library.Template, brought: StartFiles
) -> Redirect | Template:
    sent = brought.texts
    texts = {key.removeprefix(INPUT): text for key, text in sent.items() if key.startswith(INPUT)}
    workflow = sent.get("id", "").strip()
    filled = read_form(template.plan, texts, _by_input(brought.files))
    errors = filled.errors | _by_input(brought.errors)
    labels, labels_error = _read_labels(sent.get("labels", ""))
    if not errors and labels_error is None:
        wanted = {"template": template.name, "inputs": filled.inputs, "labels": labels}
        wanted |= {"id": workflow} if workflow else {}
        try:
            trigger = read_trigger("a form", as_text(wanted).encode())
            note(workflow=trigger.id)
            started, is_new = brought.keep_with(manager, lambda at: manager.reactor.start_workflow(trigger, at))
        except Refused as refused:
            errors = {(refused.field or "").removeprefix("inputs."): refused.reason}
        else:
            request.user.note(f"Started {started}." if is_new else f"{started} had been started before: here it is.")
            return Redirect(f"/runs/{started}", status_code=303)
    return _form(manager, template, texts, errors, workflow, labels=sent.get("labels", ""), labels_error=labels_error)


def _by_input(sent: Mapping[str, T]) -> dict[str, T]:
    return {key.removeprefix(FILE): value for key, value in sent.items() if key.startswith(FILE)}


def _read_labels(text: str) -> tuple[dict[str, str], str | None]:
    """Return the labels that stand in the lines of a field, or why that cannot be."""
    try:
        return read_labels(line.strip() for line in text.splitlines() if line.strip()), None
    except ValueError as error:
        return {}, str(error)


def _form(
    manager: ManagerApi,
    template: library.Template,
    texts: Mapping[str, str],
    errors: Mapping[str, str],
    workflow: str,
    *,
    labels: str = "",
    labels_error: str | None = None,
    like: str | None = None,
) -> Template:
    asked = form_of(template.plan)
    elsewhere = [words for key, words in errors.items() if key not in {"id", *(each["name"] for each in asked)}]
    with manager.look() as views:
        agents = views.check_agents(template.plan, manager.reactor.settings)
        pause = views.pause_view(template.name)
    return page(
        "manager/start.html",
        http_status=422 if errors or labels_error else 200,
        name=template.name,
        asked=asked,
        with_files=any(each["kind"] in ("file", "files") for each in asked),
        texts=texts,
        errors=errors,
        elsewhere=elsewhere,
        workflow=workflow,
        labels=labels,
        labels_error=labels_error,
        agents=agents,
        pause=pause,
        like=like,
    )


def _template(manager: ManagerApi, name: str) -> library.Template:
    found = manager.templates().get(name)
    if found is None:
        raise Problem(404, f"there is no template {name} that can be started")
    return found


PAGES = (StartPage,)
