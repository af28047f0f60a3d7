"""Which steps agents are asked for ahead of their data: those about which no value decides anything."""

from caroni_edge.manager.templates.plan import Plan, PlanStep, Source, StepInput
from caroni_edge.manager.workflows.gates import gates_of
from caroni_edge.manager.workflows.inputs import has_constant_agents, has_script, reads_inputs
from caroni_edge.values.files import file_in
from caroni_edge.values.large import may_be_large
from caroni_edge.values.parsing import parse_type


def values_decide(plan: Plan, name: str) -> bool:
    """Tell whether the values of a step decide something about it, so that agents are not asked for it before them.

    Args:
        plan: The plan.
        name: The names on the way to the step, as in `outer/inner`.
    """
    step = plan.step_at(name)
    decides = step.scatter or step.workflow or step.expression or step.when is not None or gates_of(plan, name)
    if decides or has_script(step) or not has_constant_agents(step):
        return True
    return any(_brings_files(each) or _is_looked_into(plan, name, step, each) for each in step.inputs)


def _brings_files(given: StepInput) -> bool:
    """Tell whether files may come from other steps to an input: where they lie decides who may take the step."""
    comes_late = given.value_from is not None or (given.link is not None and bool(given.link.waits_for))
    return comes_late and given.type is not None and file_in(parse_type(given.type)) is not None


def _is_looked_into(plan: Plan, name: str, step: PlanStep, given: StepInput) -> bool:
    """Tell whether an input may be a large value into which this manager must look: that takes a while."""
    outer = name.rpartition("/")[0]
    sources = given.link.sources if given.link else ()
    link = given.link
    is_taken_apart = link is not None and (link.merge == "merge_flattened" or (link.merge is None and link.pick))
    if not is_taken_apart and given.name not in reads_inputs(step):
        return False
    return any(_may_be_large(plan.workflow_at(outer), each, is_nested=bool(outer)) for each in sources)


def _may_be_large(workflow: Plan, source: Source, *, is_nested: bool) -> bool:
    if source.step is None:
        return is_nested  # what a trigger gives is small
    giver = workflow.step_by_name[source.step]
    return (
        bool(giver.scatter)
        or giver.workflow is not None
        or may_be_large(parse_type(giver.outputs[source.output or ""]))
    )
