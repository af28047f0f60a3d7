"""The tables of features hold all that CWL v1.2 has, and nothing else."""

import cwl_utils.parser.cwl_v1_2 as cwl
import pytest

from caroni_edge.manager.templates.cwl import features
from caroni_edge.manager.templates.cwl.features import Fields

OF_A_DOCUMENT = {"$namespaces", "$schemas"}


@pytest.mark.parametrize(
    ("fields", "of_cwl"),
    [
        (features.WORKFLOW, cwl.Workflow),
        (features.WORKFLOW_INPUT, cwl.WorkflowInputParameter),
        (features.WORKFLOW_OUTPUT, cwl.WorkflowOutputParameter),
        (features.STEP, cwl.WorkflowStep),
        (features.STEP_INPUT, cwl.WorkflowStepInput),
        (features.STEP_OUTPUT, cwl.WorkflowStepOutput),
        (features.OPERATION, cwl.Operation),
        (features.OPERATION_INPUT, cwl.OperationInputParameter),
        (features.OPERATION_OUTPUT, cwl.OperationOutputParameter),
        (features.TOOL, cwl.CommandLineTool),
        (features.TOOL_INPUT, cwl.CommandInputParameter),
        (features.TOOL_OUTPUT, cwl.CommandOutputParameter),
        (features.EXPRESSION_TOOL, cwl.ExpressionTool),
    ],
)
def test_every_field_is_known(fields: Fields, of_cwl: type) -> None:
    assert set(fields.known) - OF_A_DOCUMENT == set(of_cwl.attrs)  # type: ignore[attr-defined]


def test_every_requirement_is_known() -> None:
    """Those of cwltool's own have other namespaces in a file."""
    of_cwltool = {"CUDARequirement", "Loop", "MPIRequirement", "Secrets", "ShmSize"}
    found = {
        name
        for name, value in vars(cwl).items()
        if isinstance(value, type) and issubclass(value, cwl.ProcessRequirement) and value is not cwl.ProcessRequirement
    }
    assert found - of_cwltool == {*features.REQUIREMENTS, *features.SERVED_REQUIREMENTS, *features.PASSED_REQUIREMENTS}


def test_every_process_is_known() -> None:
    of_cwltool = {"ProcessGenerator"}
    found = {cls.__name__ for cls in cwl.Process.__subclasses__()} - of_cwltool
    assert found == set(features.RUNNABLE)
