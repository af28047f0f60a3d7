"""What of CWL v1.2 is read, what is documentation, what is left aside, and what is not served yet: as tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = "v1.2"

_TOOL = "the agent's job type says what runs"
_FILES = "files are not served yet"
_SCATTER = "write a step for each value"
_SINGLE = "take one source as it is"


@dataclass(frozen=True)
class Fields:
    """The fields of one kind of object.

    Attributes:
        of: What the object is called in messages.
        read: Fields that mean something here.
        notes: Documentation, which changes nothing.
        unused: Fields that are left aside with a warning, and why.
        not_yet: Fields that are refused, and what to do.
    """

    of: str
    read: tuple[str, ...]
    notes: tuple[str, ...] = ("label", "doc")
    unused: Mapping[str, str] = field(default_factory=dict)
    not_yet: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> tuple[str, ...]:
        """All fields that CWL has for this."""
        return (*self.read, *self.notes, *self.unused, *self.not_yet)


_PROCESS = ("class", "cwlVersion", "id", "inputs", "outputs", "requirements", "hints")
_PROCESS_NOTES = ("label", "doc", "intent", "$namespaces", "$schemas")
_PORT_NOTES = ("label", "doc", "format", "streamable")
_LOADING = {"secondaryFiles": _FILES, "loadContents": _FILES, "loadListing": _FILES}
_COMBINING = {"linkMerge": _SINGLE, "pickValue": _SINGLE}
_COMMAND = ("baseCommand", "arguments", "stdin", "stdout", "stderr")
_EXIT_CODES = ("successCodes", "temporaryFailCodes", "permanentFailCodes")

WORKFLOW = Fields("a workflow", (*_PROCESS, "steps"), _PROCESS_NOTES)
WORKFLOW_INPUT = Fields(
    "an input", ("id", "type", "default"), _PORT_NOTES, not_yet={**_LOADING, "inputBinding": "it only loads files"}
)
WORKFLOW_OUTPUT = Fields(
    "an output", ("id", "type", "outputSource"), _PORT_NOTES, not_yet={"secondaryFiles": _FILES, **_COMBINING}
)
STEP = Fields(
    "a step",
    ("id", "in", "out", "run", "requirements", "hints"),
    not_yet={"scatter": _SCATTER, "scatterMethod": _SCATTER, "when": "the step runs always; let its job decide"},
)
STEP_INPUT = Fields(
    "a step's input",
    ("id", "source", "default"),
    not_yet={"valueFrom": "let a job make the value", **_COMBINING, "loadContents": _FILES, "loadListing": _FILES},
)
STEP_OUTPUT = Fields("a step's output", ("id",), ())

OPERATION = Fields("an Operation", _PROCESS, _PROCESS_NOTES)
OPERATION_INPUT = Fields("an input", ("id", "type", "default"), _PORT_NOTES, not_yet=_LOADING)
OPERATION_OUTPUT = Fields("an output", ("id", "type"), _PORT_NOTES, not_yet={"secondaryFiles": _FILES})

TOOL = Fields("a CommandLineTool", _PROCESS, _PROCESS_NOTES, unused=dict.fromkeys((*_COMMAND, *_EXIT_CODES), _TOOL))
TOOL_INPUT = Fields("an input", OPERATION_INPUT.read, _PORT_NOTES, {"inputBinding": _TOOL}, _LOADING)
TOOL_OUTPUT = Fields(
    "an output", OPERATION_OUTPUT.read, _PORT_NOTES, {"outputBinding": _TOOL}, OPERATION_OUTPUT.not_yet
)

PROCESSES: Mapping[str, tuple[Fields, Fields, Fields]] = {
    "Operation": (OPERATION, OPERATION_INPUT, OPERATION_OUTPUT),
    "CommandLineTool": (TOOL, TOOL_INPUT, TOOL_OUTPUT),
}
"""What a step can run: the fields of the process, of its inputs, and of its outputs."""

PROCESSES_NOT_YET = {
    "Workflow": "nested workflows (SubworkflowFeatureRequirement) are not served yet: write its steps into this one",
    "ExpressionTool": "the class ExpressionTool is not served yet: let a job make the value",
}

REQUIREMENTS: Mapping[str, str] = {
    "InlineJavascriptRequirement": "JavaScript is not run here",
    "StepInputExpressionRequirement": STEP_INPUT.not_yet["valueFrom"],
    "ScatterFeatureRequirement": _SCATTER,
    "SubworkflowFeatureRequirement": "write the steps of the nested workflow into this one",
    "MultipleInputFeatureRequirement": _SINGLE,
    "SchemaDefRequirement": "write the type where it is used",
    "LoadListingRequirement": _FILES,
    "InitialWorkDirRequirement": _FILES,
    "InplaceUpdateRequirement": _FILES,
    "DockerRequirement": _TOOL,
    "SoftwareRequirement": _TOOL,
    "EnvVarRequirement": "the agent's job type names its environment",
    "ShellCommandRequirement": _TOOL,
    "ResourceRequirement": "the agent's job type names its limits",
    "ToolTimeLimit": "the agent's job type names its limits",
    "NetworkAccess": _TOOL,
    "WorkReuse": "each step runs once",
}
"""CWL's own requirements, none of which is served yet, and what to do."""

DIRECTIVES = ("$import", "$include", "$mixin", "$graph")
"""How CWL puts files together; none is served yet."""

CARONI_IRI = "urn:caroni:cwl#"
JOB_TYPE_NAMES: Mapping[str, str] = {"JobType": "name", "CaroniRequirement": "CaroniJobName"}
"""The hints that name a job type, and their field that holds the name; the second is the original system's."""
