"""Finds the job type among hints and requirements, and says of all others that they are not served."""

from collections.abc import Iterator

from caroni_edge.documents import nearest
from caroni_edge.jsontext import shown
from caroni_edge.manager.cwl.features import CARONI_IRI, DIRECTIVES, JOB_TYPE_NAMES, REQUIREMENTS
from caroni_edge.manager.cwl.reading import Place
from caroni_edge.protocol.messages import is_segment


def job_type_of(place: Place) -> str | None:
    """Return the job type that a step or a process names in its hints or requirements, or None.

    What cannot be read is noted, and is an empty name.
    """
    named: dict[str, Place] = {}
    for entry, kind, here in _job_types(place):
        named.setdefault(_name(entry, JOB_TYPE_NAMES[kind], here), here)
    if len(named) > 1 and all(named):
        list(named.values())[-1].error(f"two job types are named here, {' and '.join(named)}: keep one")
    return next(iter(named), None)


def refuse_job_types(place: Place) -> None:
    """Check the hints and requirements of a workflow, where no job type can stand."""
    for _, _, here in _job_types(place):
        here.error("a job type belongs to a step, or to what it runs, and not to the workflow")


def _job_types(place: Place) -> Iterator[tuple[dict[str, object], str, Place]]:
    """Return the entries that name a job type, as (fields, kind, place), after having told of all others."""
    for field, tell in (("requirements", _tell_requirement), ("hints", _tell_hint)):
        for name, body in _entries(place.at(field)):
            kind = _own_kind(name, body)
            if kind is None:
                tell(name, body)
            elif isinstance(body.value, dict):
                fields = {key: value for key, value in body.value.items() if key != "class"}
                yield fields, kind, body
            else:
                body.error(f"a job type is an object: write {name}: {{{JOB_TYPE_NAMES[kind]}: …}}")


def _entries(place: Place) -> Iterator[tuple[str, Place]]:
    """Return the class and the place of each entry, in map and in list form."""
    if isinstance(place.value, dict):
        for name in place.value:
            if name in DIRECTIVES:
                place.at(name).error(f'"{name}" is not served yet: write it out')
            else:
                yield name, place.at(name)
    elif isinstance(place.value, list):
        for body in place.items():
            name = body.value.get("class") if isinstance(body.value, dict) else None
            if isinstance(name, str):
                yield name, body
            else:
                body.error(f'in a list, each of the {place.keys[-1]} needs a "class"')
    elif place.value is not None:
        place.error(f'"{place.keys[-1]}" is an object, or a list of objects with "class"')


def _own_kind(name: str, place: Place) -> str | None:
    """Return which of our hints a class is, or None for another's.

    The prefix `caroni` is ours whatever IRI it stands for, and so is any other that stands for our IRI.
    """
    document = place.findings.document.value
    namespaces = document.get("$namespaces") if isinstance(document, dict) else None
    iris = {"caroni": CARONI_IRI, **(namespaces if isinstance(namespaces, dict) else {})}
    for prefix, iri in iris.items():
        if prefix == "caroni" or iri == CARONI_IRI:
            name = name.removeprefix(f"{prefix}:").removeprefix(str(iri))
    return name if name in JOB_TYPE_NAMES else None


def _tell_requirement(name: str, place: Place) -> None:
    if name in REQUIREMENTS:
        place.error(f"the requirement {name} is not served yet: {REQUIREMENTS[name]}")
    else:
        place.error(f"unknown requirement {shown(name)}{_nearest(name)}")


def _tell_hint(name: str, place: Place) -> None:
    if name in REQUIREMENTS:
        place.warning(f"the hint {name} is left aside: {REQUIREMENTS[name]}")
    elif name.startswith(("caroni:", CARONI_IRI)):
        place.error(f"unknown hint {shown(name)}{_nearest(name)}")
    else:
        place.warning(f"the unknown hint {shown(name)} is left aside{_nearest(name)}")


def _nearest(name: str) -> str:
    return nearest(name, [*(f"caroni:{kind}" for kind in JOB_TYPE_NAMES), *REQUIREMENTS])


def _name(entry: dict[str, object], field: str, place: Place) -> str:
    """Return the name in an entry, or note what is wrong with it and return nothing."""
    for key in entry:
        if key == "agent":
            place.at(key).error(
                'choosing the host by "agent" is not served yet: any agent that serves the job type takes it'
            )
        elif key != field:
            place.at(key).error(f'unknown field "{key}" of a job type{nearest(key, [field])}')
    name = entry.get(field)
    if name is None:
        place.error(f'a job type needs "{field}"')
    elif not isinstance(name, str) or not is_segment(name):
        place.at(field).error(f"{shown(name)} is no job type: use 1 to 40 of a-z, 0-9, _ and -")
    else:
        return name
    return ""
