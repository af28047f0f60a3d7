"""A configuration file with the environment laid over it; every value still knows where it comes from."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caroni_edge.config.key import Key
from caroni_edge.config.keys import NAMES, Section
from caroni_edge.documents.documents import Document, Problem, Problems, nearest, parse

PREFIX = "CARONI_EDGE_"

# Kubernetes sets such variables for a service that is called caroni-edge-….
_SERVICE_LINK = re.compile(r"[A-Z0-9_]*_(SERVICE_(HOST|PORT)|PORT_[0-9]+_(TCP|UDP|SCTP))(_[A-Z0-9_]+)?")

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """The merged values, and where they come from.

    Attributes:
        values: The file's, overlaid.
        document: The file.
        variables: For each overlaid place, the variable that gave it.
    """

    values: dict[str, Any]
    document: Document
    variables: Mapping[Keys, str]

    def where(self, *keys: str) -> str:
        """Return `file:line` or `environment NAME` for the value at `keys`."""
        for depth in range(len(keys), 0, -1):
            if variable := self.variables.get(keys[:depth]):
                return f"environment {variable}"
        return self.document.where(*keys)

    def at(self, *keys: str) -> Any:
        """Return what stands at `keys`; None for nothing."""
        value: Any = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def given(self, *keys: str) -> bool:
        """Tell whether a value stands at `keys`."""
        return self.at(*keys) is not None


def overlay(
    document: Document, section: Section, elsewhere: Section, environ: Mapping[str, str]
) -> tuple[Sources, list[Problem]]:
    """Lay the variables `CARONI_EDGE_<KEY>__<SUBKEY>` over a file's values.

    Args:
        document: The file; its value is a map or nothing.
        section: All keys of this role.
        elsewhere: Those of the other role, whose variables are none of our business.
        environ: The environment; empty variables count as not set.
    """
    values: dict[str, Any] = json.loads(json.dumps(document.value or {}))  # aliases in the file share their maps
    variables: dict[Keys, str] = {}
    problems: list[Problem] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX) and environ[name]):
        keys = tuple(name.removeprefix(PREFIX).lower().split("__"))
        found = _find(section, keys)
        if found is None:
            if _find(elsewhere, keys) is None and not _is_service_link(name, environ[name]):
                known = nearest(name, variable_names(section))
                problems.append(Problem(f"environment {name}", f"there is no such key{known}"))
            continue
        try:
            _put(values, keys, _read(found, environ[name], name))
        except Problems as error:
            problems.extend(error.problems)
            continue
        _drop_other_form(section, values, keys, variables)
        variables[keys] = name
    return Sources(values, document, variables), problems


def variable_names(section: Section, prefix: str = PREFIX) -> Iterator[str]:
    """Yield the variables that can set a key or a whole section; a part in angle brackets stands for any name."""
    for name, node in section.items():
        variable = prefix + (f"<{name}>" if name in NAMES else name.upper())
        yield variable
        if isinstance(node, dict):
            yield from variable_names(node, f"{variable}__")


def _find(section: Section, keys: Keys) -> Key | Section | None:
    node: Key | Section | None = section
    for key in keys:
        if not isinstance(node, dict) or not key:
            return None
        node = node.get(key, next((inner for name, inner in node.items() if name in NAMES), None))
    return node


def _is_service_link(name: str, value: str) -> bool:
    return _SERVICE_LINK.fullmatch(name) is not None or (name.endswith("_PORT") and "://" in value)


def _read(node: Key | Section, text: str, variable: str) -> object:
    if isinstance(node, Key) and node.kind.as_text:
        return text
    try:
        return parse(text, Path(variable)).value
    except Problems as error:
        what = error.problems[0].what
        raise Problems([Problem(f"environment {variable}", what)]) from None


def _put(values: dict[str, Any], keys: Keys, value: object) -> None:
    *sections, last = keys
    for key in sections:
        inner = values.get(key)
        if not isinstance(inner, dict):
            inner = values[key] = {}
        values = inner
    values[last] = value


def _drop_other_form(section: Section, values: dict[str, Any], keys: Keys, variables: Mapping[Keys, str]) -> None:
    """Drop a secret's other form (`password` or `password_file`) from the file: the environment has given this one."""
    *parents, last = keys
    siblings = _find(section, keys[:-1])
    if not isinstance(siblings, dict):
        return
    node = siblings.get(last)
    forms = {key.gives: name for name, key in siblings.items() if isinstance(key, Key) and key.gives}
    other = node.gives if isinstance(node, Key) and node.gives else forms.get(last)
    if other is None or (*keys[:-1], other) in variables:
        return
    for key in parents:
        values = values[key]
    values.pop(other, None)
