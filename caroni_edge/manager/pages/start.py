"""The form that starts a workflow. It names the new one when it is shown, so sending it twice starts one workflow."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Redirect, Template

from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.startform import form_of, read_form
from caroni_edge.manager.templates import library
from caroni_edge.manager.triggers.triggers import Refused, read_trigger
from caroni_edge.protocol.labels import as_list, read_labels
from caroni_edge.values.json import as_text
from caroni_edge.web.audit import ACTION, note
from caroni_edge.web.forms import fields
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import page

ID_BYTES = 8
INPUT = "input-"
"""What the fields of inputs begin with: an input may have any name."""


class StartPage(Controller):
    """The form of a template. Its two handlers share a path, so they stand together: Litestar wraps others twice."""

    path = "/templates/{name:str}/start"
    include_in_schema = False

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
        template, sent = _template(manager, name), fields(body)
        texts = {key.removeprefix(INPUT): text for key, text in sent.items() if key.startswith(INPUT)}
        workflow = sent.get("id", "").strip()
        filled = read_form(template.plan, texts)
        errors = dict(filled.errors)
        labels, labels_error = _read_labels(sent.get("labels", ""))
        if not errors and labels_error is None:
            wanted = {"template": name, "inputs": filled.inputs, "labels": labels}
            wanted |= {"id": workflow} if workflow else {}
            try:
                trigger = read_trigger("a form", as_text(wanted).encode())
                note(workflow=trigger.id)
                started, is_new = manager.commands.call(lambda at: manager.reactor.start_workflow(trigger, at))
            except Refused as refused:
                errors = {(refused.field or "").removeprefix("inputs."): refused.reason}
            else:
                request.user.note(
                    f"Started {started}." if is_new else f"{started} had been started before: here it is."
                )
                return Redirect(f"/runs/{started}", status_code=303)
        return _form(
            manager, template, texts, errors, workflow, labels=sent.get("labels", ""), labels_error=labels_error
        )


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
