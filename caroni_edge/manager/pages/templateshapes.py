"""What the answers about templates look like; times are RFC 3339, UTC."""

from typing import Any, Literal, TypedDict

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.values.fields import FormField


class TemplateInput(TypedDict):
    """An input of a template; `type` is that of CWL, and a `default` of null is none."""

    name: str
    type: Any
    default: Any


class TemplateOutput(TypedDict):
    """An output of a template; `type` is that of CWL."""

    name: str
    type: Any


class TemplateStep(TypedDict):
    """A step of a template, named by the way to it; without a job type it is another `kind` than a job."""

    name: str
    kind: Literal["job", "workflow", "expression"]
    job_type: str | None
    waits_for: list[str]


class TemplateView(TypedDict):
    """A template that workflows can be started from; `hash` names its content."""

    name: str
    file: str
    hash: str
    inputs: list[TemplateInput]
    outputs: list[TemplateOutput]
    steps: list[TemplateStep]
    warnings: list[str]


class PauseView(TypedDict):
    """Whether the new workflows of a template are held.

    Attributes:
        paused: They are; otherwise those that were begin one after the other.
        since: When it was paused; None when it is not.
        held: How many are held.
    """

    template: str
    paused: bool
    since: str | None
    held: int


class Finding(TypedDict):
    """Something about the text of a template.

    Attributes:
        file: Name of the file, where it is about another one, which a step runs.
        line: None where it is about all of it.
        what: What is wrong, and what would be right.
        warning: The template can be used all the same.
    """

    file: str | None
    line: int | None
    what: str
    warning: bool


class AgentFinding(TypedDict):
    """Something that keeps the agents that are there from running a step of a template.

    Attributes:
        job_type: What it is about.
        steps: The steps that want it, by the way to them.
        sentence: What is wrong, for people.
    """

    job_type: str
    steps: list[str]
    sentence: str


class VersionView(TypedDict):
    """A version of a template that workflows run by.

    Attributes:
        version: Hash of its plan.
        since: When the first of them was started.
        workflows: How many there are, 10000 at most.
        more: There are more than 10000.
        in_force: It is what is loaded now.
    """

    version: str
    since: str
    workflows: int
    more: bool
    in_force: bool


class TemplateCheck(TypedDict):
    """What there is to say about a text.

    Attributes:
        findings: What is wrong with it, and warnings.
        agents: What keeps the agents that are there from running it; empty too where it cannot be read.
        version: Hash of its plan, where it is a template.
        form: What it would ask for, likewise.
    """

    findings: list[Finding]
    agents: list[AgentFinding]
    version: str | None
    form: list[FormField]


class TemplateDetail(TypedDict):
    """A template and its file.

    Attributes:
        template: What is in force; None where nothing is.
        findings: What is wrong with the file, and warnings.
        agents: What keeps the agents that are there from running it.
        form: What it asks for, to be started.
        file: Its path.
        source: What it says; None where it cannot be read.
        mark: Tells whether it has changed when it is to be written; None likewise.
        why_not_edited: Why it cannot be changed here, for people; None when it can.
        versions: Those that workflows run by, the newest first.
        pause: Whether its new workflows are held.
    """

    name: str
    template: TemplateView | None
    findings: list[Finding]
    agents: list[AgentFinding]
    form: list[FormField]
    file: str
    source: str | None
    mark: str | None
    why_not_edited: str | None
    versions: list[VersionView]
    pause: PauseView


class LastRun(TypedDict):
    """The newest workflow of a template."""

    id: str
    status: WorkflowState
    created: str


class TemplatePage(TypedDict):
    """What is loaded.

    Attributes:
        templates: By name.
        errors: What is wrong with others, by name; one that is loaded too has its earlier version.
        paused: Those of which workflows are held, or were and are about to begin, by name.
        last_runs: The newest workflow of each that has any, by name.
    """

    templates: list[TemplateView]
    errors: dict[str, list[str]]
    paused: dict[str, PauseView]
    last_runs: dict[str, LastRun]
