"""Questions that people ask a manager over the broker; each is a request of its HTTP API, and this says which.

A question names no topic and no path: where its answer goes follows from the topic that it came by, and what may be
asked stands here.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from caroni_edge.protocol.fields import NAME_MAX_CHARS, Segment, is_segment

QUESTION_LIMIT_BYTES = 8 * 1024
ANSWER_LIMIT_BYTES = 64 * 1024
LOG_PIECE_BYTES = 48 * 1024
"""So much of a log is asked for at a time: with its line ends escaped it fits into an answer, mostly."""

Asked = Literal["status", "why", "logs", "cancel", "retry", "agents"]
View = Literal["whole", "steps", "ids"]
Option = Annotated[str, Meta(max_length=NAME_MAX_CHARS)] | Annotated[int, Meta(ge=0, le=1 << 62)]

FILTERS = ("status", "template", "agent", "since", "label", "text")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "status": (*FILTERS, "limit", "after", "within", "begin"),
    "why": (),
    "logs": ("attempt", "offset", "part", "size"),
    "cancel": (*FILTERS, "count"),
    "retry": (*FILTERS, "count"),
    "agents": ("job_type", "limit", "after"),
}
"""What a question may say beside what it is about: parameters of the request that it is."""

LOG_FACTS: Mapping[str, str] = {
    "state": "Caroni-Log",
    "offset": "Caroni-Log-Offset",
    "next": "Caroni-Log-Next",
    "cut": "Caroni-Log-Cut",
    "waiting": "Caroni-Log-Waiting",
    "begun": "Caroni-Log-Begun",
}
"""What an answer says of a piece of a log, and the header that says it over HTTP."""


class Head(Struct, frozen=True):
    """What must be readable of a question so that it can be answered at all."""

    reply: Segment
    token: Annotated[str, Meta(max_length=1000)] | None = None


class Question(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What somebody asks.

    Attributes:
        ask: Which question it is.
        reply: Last level of the topic that the answer comes by; a question with one that was there is a repetition.
        of: What it is about: a workflow, or `workflow/step`; of `agents` an agent.
        token: The token of the manager's API, from those who are not among its `people`.
        view: Of `status`: the whole workflow, its steps by name, or ids that begin so, in place of an outline.
        options: Parameters, as the HTTP API has them.
    """

    ask: Asked
    reply: Segment
    of: Annotated[str, Meta(max_length=2 * NAME_MAX_CHARS)] = ""
    token: Annotated[str, Meta(max_length=1000)] | None = None
    view: View | None = None
    options: dict[str, Option] = {}


class Answer(Struct, frozen=True):
    """What a manager answers.

    Attributes:
        status: As over HTTP.
        body: The answer of the HTTP API; of a log, its text and what the headers say.
    """

    status: int
    body: Any


class Request(NamedTuple):
    """A request of the HTTP API; its path is not quoted."""

    method: Literal["GET", "POST"]
    path: str
    options: dict[str, Option]

    @property
    def narrowed_by(self) -> str | None:
        """The parameter by which the answer gets smaller; None where none does."""
        if self.path.endswith("/log"):
            return "size"
        return "limit" if self.method == "GET" and not self.path.endswith("/why") else None


def request_of(question: Question) -> Request:
    """Return the request that a question is.

    Raises:
        ValueError: It makes no sense; the message says why, for people.
    """
    options = dict(question.options)
    if unknown := sorted(options.keys() - {*OPTIONS[question.ask]}):
        known = ", ".join(OPTIONS[question.ask]) or "none"
        raise ValueError(f"{question.ask} has no option {unknown[0][:40]}; it has {known}")
    if question.view is not None and question.ask != "status":
        raise ValueError(f"view is for status, and this is {question.ask}")
    if question.ask == "agents":
        return Request("GET", f"/api/agents/{_segment(question.of)}" if question.of else "/api/agents", options)
    if question.view == "ids":
        return Request("GET", "/api/ids", options)
    workflow, sign, step = question.of.partition("/")
    if sign and not step:
        raise ValueError(f"{question.of} lacks the name of the step")
    path = f"/api/workflows/{_segment(workflow)}" if question.of else "/api/workflows"
    match question.ask:
        case "cancel" | "retry":
            if step:
                raise ValueError(f"{question.ask} is for a workflow, and {question.of} is a step")
            return Request("POST", f"{path}/{question.ask}", options)
        case "status":
            return _status(question, path, step, options)
        case "logs":
            if not step:
                raise ValueError("a log is that of a step: of is workflow/step")
            return Request("GET", f"{path}/steps/{step}/log", options)
    if not question.of:
        raise ValueError("why needs of: a workflow, or workflow/step")
    return Request("GET", f"{path}/steps/{step}/why" if step else f"{path}/why", options)


def _status(question: Question, path: str, step: str, options: dict[str, Option]) -> Request:
    if not question.of:
        if question.view is not None:
            raise ValueError(f"the view {question.view} needs of: a workflow")
        return Request("GET", path, options)
    if question.view is None:
        return Request("GET", f"{path}/outline", options | ({"within": step} if step else {}))
    if step:
        raise ValueError(f"the view {question.view} is of a workflow, and {question.of} is a step")
    return Request("GET", path if question.view == "whole" else f"{path}/steps", options)


def question_of(method: str, path: Sequence[str], options: Mapping[str, Option], reply: str) -> Question | None:
    """Return the question that a request is, or None where nobody may ask that over the broker.

    Args:
        method: Of the request.
        path: The parts of its path, not quoted.
        options: The parameters of its query.
        reply: Last level of the topic for the answer.
    """
    found: tuple[Asked, str, View | None]
    match [method, *path]:
        case ["GET", "api", "workflows"]:
            found = ("status", "", None)
        case ["GET", "api", "ids"]:
            found = ("status", "", "ids")
        case ["GET", "api", "workflows", workflow]:
            found = ("status", workflow, "whole")
        case ["GET", "api", "workflows", workflow, "outline"]:
            found = ("status", workflow, None)
        case ["GET", "api", "workflows", workflow, "steps"]:
            found = ("status", workflow, "steps")
        case ["GET", "api", "workflows", workflow, "why"]:
            found = ("why", workflow, None)
        case ["GET", "api", "workflows", workflow, "steps", step, ("why" | "log") as what]:
            found = ("why" if what == "why" else "logs", f"{workflow}/{step}", None)
        case ["POST", "api", "workflows", ("cancel" | "retry") as what]:
            found = ("cancel" if what == "cancel" else "retry", "", None)
        case ["POST", "api", "workflows", workflow, ("cancel" | "retry") as what]:
            found = ("cancel" if what == "cancel" else "retry", workflow, None)
        case ["GET", "api", "agents"]:
            found = ("agents", "", None)
        case ["GET", "api", "agents", agent]:
            found = ("agents", agent, None)
        case _:
            return None
    ask, of, view = found
    return Question(ask=ask, reply=reply, of=of, view=view, options=dict(options))


def read_question(payload: bytes) -> Question:
    """Return the question that a payload is, whose head could be read.

    Raises:
        ValueError: It is none; the message says why, for people.
    """
    try:
        return _question.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no question: {error}") from None


_question = msgspec.json.Decoder(Question)


def _segment(name: str) -> str:
    if not is_segment(name):
        raise ValueError(f'"{name[:40]}" is no id: 1 to 40 of a-z 0-9 _ - make one')
    return name
