"""Warns where a file uses something without naming the requirement of CWL for it: other programs would refuse it."""

from collections.abc import Iterator

from caroni_edge.manager.templates.cwl.drafts import Draft, DraftLink, DraftStep
from caroni_edge.manager.templates.cwl.features import SERVED_REQUIREMENTS
from caroni_edge.manager.templates.cwl.reading import Place

Seen = set[tuple[tuple[object, ...], frozenset[str]]]

_OF_STEPS = frozenset({"ScatterFeatureRequirement", "SubworkflowFeatureRequirement"})
"""Requirements that a step may name for itself; cwltool looks for the others in the workflow only."""


def check_requirements(draft: Draft, around: frozenset[str] = frozenset(), seen: Seen | None = None) -> None:
    """Warn where something is used whose requirement is missing; once for each requirement and workflow.

    Args:
        draft: The workflow.
        around: What the workflows around it name, which holds for it too.
        seen: Which workflows, with what is around them, have been checked.
    """
    seen = set() if seen is None else seen
    named = around | draft.requirements
    if (draft.where, named) in seen:
        return
    seen.add((draft.where, named))
    told = set(named)
    for requirement, place in _needed(draft):
        if requirement not in told:
            told.add(requirement)
            words = f"{SERVED_REQUIREMENTS[requirement]}, for which other CWL programs want a requirement"
            place.warning(f"{words}: add {requirement}: {{}} to the requirements of the workflow")
    for step in draft.steps.values():
        if step.process is not None and step.process.workflow is not None:
            check_requirements(step.process.workflow, named | step.requirements, seen)


def _needed(draft: Draft) -> Iterator[tuple[str, Place]]:
    for step in draft.steps.values():
        for requirement, place in _needed_by(step):
            if requirement not in step.requirements & _OF_STEPS:
                yield requirement, place
    for output in draft.outputs.values():
        yield from _needed_by_link(output.link)


def _needed_by(step: DraftStep) -> Iterator[tuple[str, Place]]:
    if step.scatter:
        yield "ScatterFeatureRequirement", step.place.at("scatter")
    if step.process is not None and step.process.workflow is not None:
        yield "SubworkflowFeatureRequirement", step.place.at("run")
    for each in step.inputs.values():
        yield from _needed_by_link(each.link)
        if each.value_from is not None:
            yield "StepInputExpressionRequirement", each.place.at("valueFrom")


def _needed_by_link(link: DraftLink) -> Iterator[tuple[str, Place]]:
    if len(link.sources or ()) > 1:
        yield "MultipleInputFeatureRequirement", link.place.at(link.field)
