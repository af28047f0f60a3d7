"""Reads hints and requirements: finds ours (job type, limit), and says of the others whether they have an effect.

Ours are extensions as CWL v1.2 has them in "Extensions and metadata" and "Requirements and hints": other programs may
leave them aside, so they stand in `hints`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from caroni_edge.documents.assembly import is_directive
from caroni_edge.documents.documents import nearest
from caroni_edge.manager.templates.cwl.features import (
    CARONI_IRI,
    COPIES_FIELD,
    FILES_NAME,
    JAVASCRIPT_REQUIREMENT,
    JOB_TYPE_NAMES,
    KEEP_ALL,
    KEEP_FIELD,
    LIMIT_FIELD,
    LIMIT_NAME,
    LISTINGS,
    PASSED_REQUIREMENTS,
    REQUIREMENTS,
    SERVED_REQUIREMENTS,
    TOOLS,
)
from caroni_edge.manager.templates.cwl.reading import Place, read_as_meant
from caroni_edge.protocol.fields import is_segment
from caroni_edge.protocol.labels import LABELS_MAX, NAME_WORDS, VALUE_WORDS, is_label_name, is_label_value
from caroni_edge.values.json import shown

_OWN = (*JOB_TYPE_NAMES, LIMIT_NAME, FILES_NAME)
_PARALLEL_MAX = 1_000_000
_COPIES_MAX = 16


@dataclass(frozen=True)
class JobTypeHint:
    """The hint that names a job type.

    Attributes:
        place: Where it stands in the file.
        name: The job type; empty where it could not be read.
        agents: The agents that may take the step: names, or expressions that give names; or labels that one must
            have, as `site=$(inputs.site)`; with the place of each.
    """

    place: Place
    name: str | None
    agents: tuple[tuple[str, Place], ...] = ()


@dataclass(frozen=True)
class Library:
    """What runs before JavaScript (`expressionLib`); equal where the texts are.

    Attributes:
        texts: JavaScript, in order; perhaps none.
        place: Where that is said.
    """

    texts: tuple[str, ...]
    place: Place = field(compare=False)


@dataclass(frozen=True)
class Hints:
    """What the hints and requirements of one object say.

    Attributes:
        job_type: The job type.
        limit: How many jobs or instances may have begun at a time, and where that stands.
        requirements: Those of CWL that are named here and served.
        library: What expressions see where they may be JavaScript; None where that is not said.
        copies: On how many hosts files are to lie; None where that is not said.
        keeps: Where it stands that all files are kept; None where that is not said.
    """

    job_type: JobTypeHint | None
    limit: tuple[int, Place] | None
    requirements: frozenset[str]
    library: Library | None = None
    copies: int | None = None
    keeps: Place | None = None


def read_hints(place: Place) -> Hints:
    """Read the hints and requirements of a step, a process or a workflow, and note what is wrong with them."""
    found: list[JobTypeHint] = []
    limits: list[tuple[int, Place]] = []
    served: set[str] = set()
    libraries: list[Library] = []
    copies: list[tuple[int, Place]] = []
    keeps: list[Place] = []
    for key, tell in (("requirements", _tell_requirement), ("hints", _tell_hint)):
        for name, body in _entries(place.at(key)):
            own = _own_kind(name, body) if name is not None else None
            if name is None:
                found.append(JobTypeHint(body, ""))
            elif own == LIMIT_NAME:
                limits += _limit(body)
            elif own == FILES_NAME:
                copies += _copies(body)
                keeps += _keeps(body)
            elif own is not None:
                found += _job_type(own, name, body)
            elif name in SERVED_REQUIREMENTS or name in PASSED_REQUIREMENTS:
                served.add(name)
                libraries += [_library(body)] if name == JAVASCRIPT_REQUIREMENT else []
            else:
                tell(name, body)
                found += [JobTypeHint(body, "")] if _is_ours(name) else []
    _tell_different(found)
    _tell_several(limits, "limits")
    _tell_several(copies, "numbers of copies")
    readable = [hint for hint in found if hint.name != ""] or found
    limit, library = limits[0] if limits else None, libraries[0] if libraries else None
    return Hints(
        readable[0] if readable else None,
        limit,
        frozenset(served),
        library,
        copies[0][0] if copies else None,
        keeps[0] if keeps else None,
    )


def _tell_several(said: Sequence[tuple[int, Place]], what: str) -> None:
    """Note that a number is named twice, and not the same one."""
    numbers = {number for number, _ in said}
    if len(numbers) > 1:
        said[-1][1].error(f"two {what} are named here, {' and '.join(map(str, sorted(numbers)))}: keep one")


def listing_of(place: Place) -> str | None:
    """Return what a process says of how its directories are listed."""
    for key in ("requirements", "hints"):
        for name, body in _entries(place.at(key)):
            listing = body.value.get("loadListing") if isinstance(body.value, dict) else None
            if name == "LoadListingRequirement" and listing in LISTINGS:
                return str(listing)
    return None


def _library(place: Place) -> Library:
    """Return what is to be run before JavaScript."""
    written = place.at("expressionLib") if isinstance(place.value, dict) else place
    if written.value is None:
        return Library((), place)
    texts = written.value if isinstance(written.value, list) else [written.value]
    if not all(isinstance(each, str) or is_directive(each) for each in texts):
        written.error('"expressionLib" is a list of texts: JavaScript that is run before that of expressions')
    return Library(tuple(each for each in texts if isinstance(each, str)), written)


def _tell_different(hints: Sequence[JobTypeHint]) -> None:
    """Note that several job types are named, or one with different agents."""
    names = dict.fromkeys(hint.name for hint in hints)
    if "" in names:  # told where it is read
        return
    if len(names) > 1 and all(names):
        hints[-1].place.error(f"two job types are named here, {' and '.join(map(str, names))}: keep one")
    elif len({(hint.name, tuple(text for text, _ in hint.agents)) for hint in hints}) > 1:
        hints[-1].place.error("a job type is named twice here, with different words: keep one")


def refuse_job_type(hints: Hints, why: str) -> None:
    """Note that a job type cannot stand here."""
    if hints.job_type is not None and hints.job_type.name != "":  # told where it is read
        hints.job_type.place.error(f"a job type belongs to a step, or to what it runs, {why}")


def refuse_limit(hints: Hints) -> None:
    """Note that a limit cannot stand in the process that a step runs."""
    if hints.limit is not None:
        hints.limit[1].error("a limit belongs to a step or a workflow, and not to what a step runs")


def _entries(place: Place) -> Iterator[tuple[str | None, Place]]:
    """Return the class and the place of each entry, in a map or in a list; no class where it could not be read."""
    if is_directive(place.value):
        yield None, place
    elif isinstance(place.value, dict):
        for name in place.value:
            yield name, place.at(name)
    elif isinstance(place.value, list):
        for body in place.items():
            name = body.value.get("class") if isinstance(body.value, dict) else None
            if isinstance(name, str):
                yield name, body
                continue
            if not is_directive(body.value):
                body.error(f'in a list, each of the {place.keys[-1]} needs a "class"')
            yield None, body
    elif place.value is not None:
        place.error(f'"{place.keys[-1]}" is an object, or a list of objects with "class"')
        yield None, place


def _own_kind(name: str, place: Place) -> str | None:
    """Return which of our hints a class is; None when it is none of ours.

    Ours are those with the prefix `caroni`, whatever IRI it stands for, and those whose prefix stands for our IRI.
    """
    document = place.findings.document.value
    namespaces = document.get("$namespaces") if isinstance(document, dict) else None
    iris = {"caroni": CARONI_IRI, **(namespaces if isinstance(namespaces, dict) else {})}
    for prefix, iri in iris.items():
        if prefix == "caroni" or iri == CARONI_IRI:
            name = name.removeprefix(f"{prefix}:").removeprefix(str(iri))
    return name if name in _OWN else None


def _tell_requirement(name: str, place: Place) -> None:
    if name in REQUIREMENTS:
        place.lacks(TOOLS, f"the requirement {name} is not served yet: {REQUIREMENTS[name]}")
    else:
        place.error(f"unknown requirement {shown(name)}{_nearest(name)}")


def _tell_hint(name: str, place: Place) -> None:
    if name in REQUIREMENTS:
        place.warning(f"the hint {name} is left aside: {REQUIREMENTS[name]}")
    elif _is_ours(name):
        place.error(f"unknown hint {shown(name)}{_nearest(name)}")
    else:
        place.warning(f"the unknown hint {shown(name)} is left aside{_nearest(name)}")


def _is_ours(name: str) -> bool:
    return name.startswith(("caroni:", CARONI_IRI))


def _nearest(name: str) -> str:
    of_cwl = (*SERVED_REQUIREMENTS, *PASSED_REQUIREMENTS, *REQUIREMENTS)
    return nearest(name, [*(f"caroni:{kind}" for kind in _OWN), *of_cwl])


def _fields(place: Place, what: str, known: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the fields of one of our hints, and note those that it does not have."""
    if not isinstance(place.value, dict):
        return None
    fields = {key: value for key, value in place.value.items() if key != "class"}
    for key in list(fields):
        if key not in known:
            place.at(key).error(f'unknown field "{key}" of {what}{nearest(key, known)}')
            read_as_meant(fields, key, known)
    return fields


def _job_type(kind: str, written: str, place: Place) -> Iterator[JobTypeHint]:
    field = JOB_TYPE_NAMES[kind]
    fields = _fields(place, "a job type", (field, "agent", "labels"))
    if fields is None:
        place.error(f"a job type is an object: write {written}: {{{field}: …}}")
        yield JobTypeHint(place, "")
        return
    agents = tuple(_agents(place.at("agent"))) if "agent" in fields else ()
    if "labels" in fields:
        if "agent" in fields:
            place.error('"agent" names who may take the step, and "labels" what they are: keep one')
        agents = tuple(_labels(place.at("labels")))
    name = fields.get(field)
    if name is None:
        if not agents:
            place.error(f'a job type needs "{field}"')
        yield JobTypeHint(place, None if agents else "", agents)
    elif not isinstance(name, str) or not is_segment(name):
        place.at(field).error(f"{shown(name)} is no job type: use 1 to 40 of a-z, 0-9, _ and -")
        yield JobTypeHint(place, "", agents)
    else:
        yield JobTypeHint(place, name, agents)


def _agents(place: Place) -> Iterator[tuple[str, Place]]:
    """Return the names of agents, or expressions that give them, that are well written."""
    if isinstance(place.value, list) and not place.value:
        place.error('"agent" names nobody: leave it out when any agent may take the step')
    for each in place.items() if isinstance(place.value, list) else (place,):
        if not isinstance(each.value, str):
            each.error('"agent" is the name of an agent, a reference as $(inputs.name), or a list of such')
        elif "$" not in each.value and not is_segment(each.value):
            each.error(f"{shown(each.value)} is no name of an agent: use 1 to 40 of a-z, 0-9, _ and -")
        else:
            yield each.value, each


def _labels(place: Place) -> Iterator[tuple[str, Place]]:
    """Return the labels that an agent must have, as `site=north` or `site=$(inputs.site)`, that are well written."""
    if not isinstance(place.value, dict) or not 1 <= len(place.value) <= LABELS_MAX:
        place.error(f'"labels" are 1 to {LABELS_MAX} labels: write labels: {{site: north}}')
        return
    for name, value in place.value.items():
        each = place.at(name)
        if not is_label_name(name):
            each.error(f"{shown(name)} is no name of a label: use {NAME_WORDS}")
        elif not isinstance(value, str) or ("$" not in value and not is_label_value(value)):
            each.error(f"{shown(value)} is no value of a label: it is a text with {VALUE_WORDS}, or as $(inputs.name)")
        else:
            yield f"{name}={value}", each


def _limit(place: Place) -> Iterator[tuple[int, Place]]:
    fields = _fields(place, "a limit", (LIMIT_FIELD,))
    parallel = fields.get(LIMIT_FIELD) if fields is not None else None
    if isinstance(parallel, int) and not isinstance(parallel, bool) and 1 <= parallel <= _PARALLEL_MAX:
        yield parallel, place
    else:
        place.error(f"a limit is a whole number from 1: write caroni:{LIMIT_NAME}: {{{LIMIT_FIELD}: 20}}")


def _copies(place: Place) -> Iterator[tuple[int, Place]]:
    fields = _fields(place, "what is said of files", (COPIES_FIELD, KEEP_FIELD))
    copies = fields.get(COPIES_FIELD) if fields is not None else None
    if fields is not None and copies is None and KEEP_FIELD in fields:
        return
    if isinstance(copies, int) and not isinstance(copies, bool) and 1 <= copies <= _COPIES_MAX:
        yield copies, place
    else:
        numbers = f"a whole number from 1 to {_COPIES_MAX}"
        place.error(
            f"on how many hosts files are to lie is {numbers}: write caroni:{FILES_NAME}: {{{COPIES_FIELD}: 2}}"
        )


def _keeps(place: Place) -> Iterator[Place]:
    if not isinstance(place.value, dict) or KEEP_FIELD not in place.value:
        return
    if place.value[KEEP_FIELD] == KEEP_ALL:
        yield place.at(KEEP_FIELD)
    else:
        place.at(KEEP_FIELD).error(f"what is kept beside the outputs of a workflow is {KEEP_ALL}, or left out")


def refuse_keeping(hints: Hints) -> None:
    """Note that files are kept where only what one step gives is meant."""
    if hints.keeps is not None:
        hints.keeps.error("all files of a workflow are kept, or none beside its outputs: write this on the workflow")
