"""Tables of CWL v1.2: which fields and classes have a meaning here, and why the others have none.

The field names are those of the specification's sections "Workflow", "WorkflowStep", "WorkflowStepInput" and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_TOOL = "the agent's job type says what runs"
_FILES = "files are not served yet"


@dataclass(frozen=True)
class Fields:
    """The fields of one kind of object.

    Attributes:
        of: What such an object is called in messages.
        read: Fields that have a meaning here.
        notes: Fields that document something, and have no effect in CWL itself.
        unused: Fields that have no effect here, which is a warning; each with the reason.
        not_yet: Fields with which a file is refused; each with the reason, or with what to write instead.
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
_COMBINING = ("linkMerge", "pickValue")
_COMMAND = ("baseCommand", "arguments", "stdin", "stdout", "stderr")
_EXIT_CODES = ("successCodes", "temporaryFailCodes", "permanentFailCodes")

WORKFLOW = Fields("a workflow", (*_PROCESS, "steps"), _PROCESS_NOTES)
WORKFLOW_INPUT = Fields(
    "an input", ("id", "type", "default"), _PORT_NOTES, not_yet={**_LOADING, "inputBinding": "it only loads files"}
)
WORKFLOW_OUTPUT = Fields(
    "an output", ("id", "type", "outputSource", *_COMBINING), _PORT_NOTES, not_yet={"secondaryFiles": _FILES}
)
STEP = Fields(
    "a step",
    ("id", "in", "out", "run", "scatter", "scatterMethod", "when", "requirements", "hints"),
)
STEP_INPUT = Fields(
    "a step's input",
    ("id", "source", "default", "valueFrom", *_COMBINING),
    ("label",),
    not_yet={"loadContents": _FILES, "loadListing": _FILES},
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
"""The classes that a step can run beside a workflow: fields of the process, of its inputs, and of its outputs."""

RUNNABLE = (*PROCESSES, "Workflow")
"""The classes that a step can run."""

PROCESSES_NOT_YET = {
    "ExpressionTool": "the class ExpressionTool is not served yet: let a job make the value",
}

SERVED_REQUIREMENTS: Mapping[str, str] = {
    "ScatterFeatureRequirement": "a step is scattered",
    "SubworkflowFeatureRequirement": "a step runs a workflow",
    "MultipleInputFeatureRequirement": "several sources flow to one place",
    "StepInputExpressionRequirement": "valueFrom is used",
}
"""Requirements of CWL that are served, each with what needs it. A file that does not name them is read as well."""

REQUIREMENTS: Mapping[str, str] = {
    "InlineJavascriptRequirement": "JavaScript is not run here; parameter references as $(inputs.name) are",
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
"""Requirements of CWL that are not served. In `requirements` they are an error, in `hints` a warning
(CWL v1.2, "Requirements and hints"); each with what to do instead."""

CARONI_IRI = "urn:caroni:cwl#"
JOB_TYPE_NAMES: Mapping[str, str] = {"JobType": "name", "CaroniRequirement": "CaroniJobName"}
"""The hints of ours that name a job type, and their field with the name; the second is the original system's."""
LIMIT_NAME, LIMIT_FIELD = "Limit", "parallel"
"""The hint of ours that asks for a gate, and its field with the number of jobs or instances that may be inside."""

SCATTER_METHODS = ("dotproduct", "flat_crossproduct", "nested_crossproduct")
LINK_MERGES = ("merge_nested", "merge_flattened")
PICK_VALUES = ("first_non_null", "the_only_non_null", "all_non_null")
