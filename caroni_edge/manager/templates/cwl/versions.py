"""Reads CWL v1.0 and v1.1 as the v1.2 that means the same, process by process: files of several versions go together.

The rules are those of cwl-upgrader, as far as they concern what is read here.
"""

from collections.abc import Mapping
from typing import Any

from caroni_edge.manager.templates.cwl.reading import Place
from caroni_edge.values.json import shown

VERSION = "v1.2"
VERSIONS = ("v1.0", "v1.1", VERSION)

_EXTENSIONS = {
    "http://commonwl.org/cwltool#WorkReuse": "WorkReuse",
    "http://arvados.org/cwl#ReuseRequirement": "WorkReuse",
    "http://commonwl.org/cwltool#TimeLimit": "ToolTimeLimit",
    "http://commonwl.org/cwltool#NetworkAccess": "NetworkAccess",
    "http://commonwl.org/cwltool#InplaceUpdateRequirement": "InplaceUpdateRequirement",
    "http://commonwl.org/cwltool#LoadListingRequirement": "LoadListingRequirement",
}
"""What others had before CWL had it."""


def check_head(place: Place, around: str | None, *, is_head: bool) -> str:
    """Return the version of CWL that a process is written in, and note what is wrong with it.

    Args:
        place: The process.
        around: The version of what it stands in, or is run by; None for nothing.
        is_head: It heads a file, and so must name its version.
    """
    head = Place(place.findings, (), place.findings.document.value)
    if is_head:
        namespaces = head.at("$namespaces").value
        if namespaces is not None and not _is_object_of_strings(namespaces):
            head.at("$namespaces").error('"$namespaces" is an object of prefixes and IRIs')
    version = place.at("cwlVersion")
    if version.value is None and is_head:
        version = head.at("cwlVersion")
    if version.value is None:
        if is_head and around is None:
            version.error(f'"cwlVersion" is missing: write cwlVersion: {VERSION}')
        elif is_head:
            version.warning(f'"cwlVersion" is missing: it is taken for {around}, as what runs it')
        return around or VERSION
    if version.value not in VERSIONS:
        version.error(f"cwlVersion {shown(version.value)} is not served: there are {', '.join(VERSIONS)}")
        return around or VERSION
    return str(version.value)


def as_read_here(place: Place, version: str) -> Place:
    """Return a process as v1.2 has it; its lines stay those of the file."""
    if version != "v1.0":
        return place
    value = dict(place.value)
    for field in ("requirements", "hints"):
        if field in value:
            value[field] = _renamed(value[field], _namespaces(place))
    if value.get("class") in ("Workflow", "ExpressionTool"):
        value["inputs"] = _without_bindings(value.get("inputs"))
    return Place(place.findings, place.keys, value)


def _renamed(entries: Any, namespaces: Mapping[str, Any]) -> Any:
    """Return requirements or hints by the names that CWL has given them since."""
    if isinstance(entries, dict):
        return {_name(key, namespaces): each for key, each in entries.items()}
    if isinstance(entries, list):
        return [
            {**each, "class": _name(each["class"], namespaces)} if isinstance(each, dict) and "class" in each else each
            for each in entries
        ]
    return entries


def _name(written: Any, namespaces: Mapping[str, Any]) -> Any:
    if not isinstance(written, str):
        return written
    prefix, colon, rest = written.partition(":")
    return _EXTENSIONS.get(f"{namespaces[prefix]}{rest}" if colon and prefix in namespaces else written, written)


def _namespaces(place: Place) -> Mapping[str, Any]:
    document = place.findings.document.value
    found = document.get("$namespaces") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _without_bindings(inputs: Any) -> Any:
    """Return inputs of what is no tool: the one thing that `inputBinding` said of them stands beside it since v1.1."""
    if isinstance(inputs, dict):
        return {name: _without_binding(each) for name, each in inputs.items()}
    return [_without_binding(each) for each in inputs] if isinstance(inputs, list) else inputs


def _without_binding(body: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(body.get("inputBinding"), dict):
        return body
    binding = body["inputBinding"]
    others = {key: each for key, each in body.items() if key != "inputBinding"}
    return {**others, **{key: binding[key] for key in ("loadContents",) if key in binding}}


def _is_object_of_strings(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
