"""Whether the agents that are there could run a template: who serves its job types, with which inputs and outputs."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.pages.templateshapes import AgentFinding
from caroni_edge.manager.store.serving import Serving, ServingRows
from caroni_edge.manager.templates.plan import Plan, PlanStep
from caroni_edge.manager.workflows.inputs import has_constant_agents
from caroni_edge.protocol.labels import are_labels
from caroni_edge.values.parsing import TypeProblem, parse_type

AGENTS_MAX = 1000
TYPES_MAX = 10_000
NAMES_SAID = 3
FINDINGS_MAX = 100


class _Asked(NamedTuple):
    """A step that wants a job type, and the way to it."""

    route: str
    step: PlanStep


def check_agents(rows: ServingRows, plan: Plan, settings: ManagerConfig) -> list[AgentFinding]:
    """Return what keeps the agents that are there from running a template; nothing when they can.

    Args:
        rows: Who is there.
        plan: The template.
        settings: Whom this manager trusts with what.
    """
    wanted: dict[str, list[_Asked]] = {}
    for asked in _steps(plan, ""):
        wanted.setdefault(asked.step.job_type, []).append(asked)
    found = []
    for job_type, steps in wanted.items():
        agents = rows.of_type(job_type, AGENTS_MAX)
        able = [each for each in agents if each.serves and settings.trusts(each.agent, job_type)]
        names = [asked.route for asked in steps]
        if able:
            found += list(_misfits(job_type, steps, able))
        else:
            sentence = _nobody(rows, job_type, agents)
            found.append(AgentFinding(job_type=job_type, steps=names, sentence=sentence))
        if len(found) >= FINDINGS_MAX:
            break
    return found[:FINDINGS_MAX]


def _steps(plan: Plan, prefix: str) -> Iterator[_Asked]:
    for step in plan.steps:
        if step.workflow is not None:
            yield from _steps(step.workflow, f"{prefix}{step.name}/")
        elif step.job_type:
            yield _Asked(prefix + step.name, step)


def _nobody(rows: ServingRows, job_type: str, agents: Sequence[Serving]) -> str:
    """Say why no agent serves a job type, and what looks like it."""
    serving = [each.agent for each in agents if each.serves]
    if serving:
        return f"no agent that this manager trusts with {job_type} serves it; {_served(job_type, serving)}"
    if agents:
        has = "have it, and are" if len(agents) > 1 else "has it, and is"
        names = _names([each.agent for each in agents])
        return (
            f"no agent serves {job_type} now; {names} {has} offline, or {'take' if len(agents) > 1 else 'takes'} none"
        )
    like = difflib.get_close_matches(job_type, rows.types(TYPES_MAX), n=1)
    said = f"no agent serves {job_type}"
    if like and (others := [each.agent for each in rows.of_type(like[0], NAMES_SAID + 1)]):
        return f"{said}; {_served(like[0], others)}"
    return said


def _misfits(job_type: str, steps: Sequence[_Asked], able: Sequence[Serving]) -> Iterator[AgentFinding]:
    """Yield what steps give, take or are bound to that none of the agents has that could run them."""
    declared = [(each, _declared(each.notice)) for each in able]
    for route, step in steps:
        mine = [(each.agent, names) for each, names in declared if _may_take(step, each)]
        if not mine:
            there = _served(job_type, [each.agent for each in able])
            said = f"step {route} is bound to {_names(step.agents)}, and {there}"
            yield AgentFinding(job_type=job_type, steps=[route], sentence=said)
            continue
        wrong = [_misfit(route, step, job_type, agent, *names) for agent, names in mine]
        if all(wrong):
            yield AgentFinding(job_type=job_type, steps=[route], sentence=wrong[0])


def _may_take(step: PlanStep, agent: Serving) -> bool:
    """Tell whether a step may be given to an agent, as far as that is known before it begins."""
    if not step.agents or not has_constant_agents(step):
        return True
    if are_labels(step.agents):
        return {*msgspec.json.decode(agent.labels)}.issuperset(step.agents)
    return agent.agent in step.agents


def _misfit(
    route: str, step: PlanStep, job_type: str, agent: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> str:
    """Return why an agent's job type cannot run a step, going by names; empty when it can."""
    given = {each.name for each in step.inputs if each.type is not None}
    if unknown := sorted(given - inputs.keys()):
        takes = _names(sorted(inputs)) or "nothing"
        return f"step {route} gives {_names(unknown)}, which {job_type} of {agent} does not take (it takes {takes})"
    if missing := sorted(name for name, spec in inputs.items() if name not in given and not _is_optional(spec)):
        return f"step {route} does not give {_names(missing)}, which {job_type} of {agent} needs"
    if absent := sorted(step.outputs.keys() - outputs.keys()):
        gives = _names(sorted(outputs)) or "nothing"
        return f"step {route} wants {_names(absent)}, which {job_type} of {agent} does not give (it gives {gives})"
    return ""


def _declared(notice: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    said = msgspec.json.decode(notice)
    return said.get("inputs", {}), said.get("outputs", {})


def _is_optional(spec: object) -> bool:
    try:
        return parse_type(spec).optional
    except TypeProblem:
        return True  # what an agent says of itself may be of a later release


def _served(job_type: str, agents: Sequence[str]) -> str:
    return f"{job_type} is served by {_names(agents)}"


def _names(names: Sequence[str]) -> str:
    shown, rest = names[:NAMES_SAID], len(names) - NAMES_SAID
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
