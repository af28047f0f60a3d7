"""Makes a workflow of one step of an ExpressionTool, so that it can be run by itself."""

from caroni_edge.manager.templates.cwl.drafts import Draft, DraftInput, DraftLink, DraftOutput, DraftStep
from caroni_edge.manager.templates.cwl.ports import Port
from caroni_edge.manager.templates.cwl.process import Process, where
from caroni_edge.manager.templates.cwl.reading import Names, Place

STEP = "expression"
"""What the step is called."""


def flow_around(place: Place, process: Process) -> Draft:
    """Return a workflow that takes what an ExpressionTool takes, and gives what it gives.

    Args:
        place: Where the ExpressionTool stands.
        process: It, as it was read.
    """
    inputs = {
        name: DraftInput(port.place, _link(port, "source", name), None, None, is_clear=True)
        for name, port in process.inputs.items()
    }
    outputs = {
        name: DraftOutput(port.place, port.type, _link(port, "outputSource", f"{STEP}/{name}"), port.files)
        for name, port in process.outputs.items()
    }
    step = DraftStep(
        place=place,
        process=process,
        job_type="",
        agents=(),
        parallel=None,
        inputs=Names(inputs.items()),
        out=Names((name, port.place) for name, port in process.outputs.items()),
        scatter={},
        method="dotproduct",
        when=None,
        is_scatter_known=True,
        is_clear=True,
        requirements=frozenset(),
    )
    return Draft(where(place), process.inputs, Names(outputs.items()), Names({STEP: step}.items()), None, frozenset())


def _link(port: Port, field: str, source: str) -> DraftLink:
    return DraftLink(port.place, field, (source,), None, None)
