"""Tables of CWL v1.2: which fields and classes have a meaning here, and why the others have none.

The field names are those of the specification's sections "Workflow", "WorkflowStep", "WorkflowStepInput" and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_TOOL = "the agent's job type says what runs"

FILES, TOOLS, JOB_TYPES, JAVASCRIPT = "files", "tools", "a job type", "JavaScript"
"""What is not served yet, or not given, in a word: `Problem.needs`."""


@dataclass(frozen=True)
class Fields:
    """The fields of one kind of object.

    Attributes:
        of: What such an object is called in messages.
        read: Fields that have a meaning here.
        notes: Fields that document something, and have no effect in CWL itself.
        kept: Fields that say something of files, or of a command: they are kept in the plan.
        unused: Fields that have no effect here, which is a warning; each with the reason.
        streams: Types that such an input or output may have, and that stand for a file.
    """

    of: str
    read: tuple[str, ...]
    notes: tuple[str, ...] = ("label", "doc")
    kept: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All fields that CWL has for this."""
        return (*self.read, *self.notes, *self.kept, *self.unused)


_PROCESS = ("class", "cwlVersion", "id", "inputs", "outputs", "requirements", "hints")
_PROCESS_NOTES = ("label", "doc", "intent", "$namespaces", "$schemas")
_NOTES = ("label", "doc")
_OUTPUT_FILES = ("format", "streamable", "secondaryFiles")
_LOADING = ("loadContents", "loadListing")
_INPUT_FILES = (*_OUTPUT_FILES, *_LOADING)
_COMBINING = ("linkMerge", "pickValue")
STREAMS = ("stdin", "stdout", "stderr")
"""Fields of a tool: the names of the files that these are; kept in the plan too."""
_COMMAND = ("baseCommand", "arguments", "successCodes", "temporaryFailCodes", "permanentFailCodes")
_BINDING = {"inputBinding": "there is no command line here"}

WORKFLOW = Fields("a workflow", (*_PROCESS, "steps"), _PROCESS_NOTES)
WORKFLOW_INPUT = Fields("an input", ("id", "type", "default"), _NOTES, _INPUT_FILES, _BINDING)
WORKFLOW_OUTPUT = Fields("an output", ("id", "type", "outputSource", *_COMBINING), _NOTES, _OUTPUT_FILES)
STEP = Fields(
    "a step",
    ("id", "in", "out", "run", "scatter", "scatterMethod", "when", "requirements", "hints"),
)
STEP_INPUT = Fields("a step's input", ("id", "source", "default", "valueFrom", *_COMBINING), ("label",), _LOADING)
STEP_OUTPUT = Fields("a step's output", ("id",), ())

OPERATION = Fields("an Operation", _PROCESS, _PROCESS_NOTES)
OPERATION_INPUT = Fields("an input", ("id", "type", "default"), _NOTES, _INPUT_FILES)
OPERATION_OUTPUT = Fields("an output", ("id", "type"), _NOTES, _OUTPUT_FILES)

TOOL = Fields("a CommandLineTool", _PROCESS, _PROCESS_NOTES, (), dict.fromkeys((*_COMMAND, *STREAMS), _TOOL))
TOOL_INPUT = Fields("an input", OPERATION_INPUT.read, _NOTES, _INPUT_FILES, {"inputBinding": _TOOL}, ("stdin",))
TOOL_OUTPUT = Fields(
    "an output", OPERATION_OUTPUT.read, _NOTES, _OUTPUT_FILES, {"outputBinding": _TOOL}, ("stdout", "stderr")
)

EXPRESSION_TOOL = Fields("an ExpressionTool", (*_PROCESS, "expression"), _PROCESS_NOTES)

PROCESSES: Mapping[str, tuple[Fields, Fields, Fields]] = {
    "Operation": (OPERATION, OPERATION_INPUT, OPERATION_OUTPUT),
    "CommandLineTool": (TOOL, TOOL_INPUT, TOOL_OUTPUT),
    "ExpressionTool": (EXPRESSION_TOOL, WORKFLOW_INPUT, OPERATION_OUTPUT),
}
"""The classes that a step can run beside a workflow: fields of the process, of its inputs, and of its outputs."""

RUNNABLE = (*PROCESSES, "Workflow")
"""The classes that a step can run."""

SERVED_REQUIREMENTS: Mapping[str, str] = {
    "ScatterFeatureRequirement": "a step is scattered",
    "SubworkflowFeatureRequirement": "a step runs a workflow",
    "MultipleInputFeatureRequirement": "several sources flow to one place",
    "StepInputExpressionRequirement": "valueFrom is used",
}
"""Requirements of CWL that are served, each with what needs it. A file that does not name them is read as well."""

JAVASCRIPT_REQUIREMENT = "InlineJavascriptRequirement"
PASSED_REQUIREMENTS = (JAVASCRIPT_REQUIREMENT, "SchemaDefRequirement", "LoadListingRequirement")
"""Requirements that ask for nothing by themselves: what makes use of them is read, or refused where it stands."""

REQUIREMENTS: Mapping[str, str] = {
    "InitialWorkDirRequirement": "files are not served yet",
    "InplaceUpdateRequirement": "files are not served yet",
    "DockerRequirement": _TOOL,
    "SoftwareRequirement": _TOOL,
    "EnvVarRequirement": "the agent's job type names its environment",
    "ShellCommandRequirement": _TOOL,
    "ResourceRequirement": "the agent's job type names its limits",
    "ToolTimeLimit": "the agent's job type names its limits",
    "NetworkAccess": _TOOL,
    "WorkReuse": "each step runs once",
}
"""Requirements of CWL that are not served: they say how a tool runs. In `requirements` they are an error, in `hints` a
warning (CWL v1.2, "Requirements and hints"); each with what to do instead."""

CARONI_IRI = "urn:caroni:cwl#"
JOB_TYPE_NAMES: Mapping[str, str] = {"JobType": "name", "CaroniRequirement": "CaroniJobName"}
"""The hints of ours that name a job type, and their field with the name; the second is the original system's."""
LIMIT_NAME, LIMIT_FIELD = "Limit", "parallel"
"""The hint of ours that asks for a gate, and its field with the number of jobs or instances that may be inside."""

FILES_NAME, COPIES_FIELD, KEEP_FIELD, KEEP_ALL = "Files", "copies", "keep", "all"
"""The hint of ours about files, its field with the number of hosts on which they are to lie, and what keeps all."""

SCATTER_METHODS = ("dotproduct", "flat_crossproduct", "nested_crossproduct")
LINK_MERGES = ("merge_nested", "merge_flattened")
LISTINGS = ("no_listing", "shallow_listing", "deep_listing")
PICK_VALUES = ("first_non_null", "the_only_non_null", "all_non_null")
