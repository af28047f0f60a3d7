"""The configuration in effect: each setting with its value and where that comes from, and no secret."""

import json
import re
from collections.abc import Iterator
from typing import Any

from caroni_edge.config import kinds
from caroni_edge.config.key import Key
from caroni_edge.config.keys import NAMES, Section
from caroni_edge.config.model import Setting
from caroni_edge.config.notify_kinds import NOTIFY
from caroni_edge.config.sources import Sources

HIDDEN = "(hidden)"
DEFAULT = "default"
_QUERY = re.compile(r'\?[^",\s]*')


def in_effect(section: Section, sources: Sources, *keys: str) -> Iterator[Setting]:
    """Yield the settings of a section and of those in it, also those that hold by default."""
    given = sources.at(*keys)
    if given is False:  # a section that is switched off
        yield Setting(".".join(keys), _text(given), sources.where(*keys))
        return
    forms = {node.gives: name for name, node in section.items() if isinstance(node, Key) and node.gives}
    for name, node in _named(section, given if isinstance(given, dict) else {}):
        if isinstance(node, Section):
            yield from in_effect(node, sources, *keys, name)
        elif sources.given(*keys, name):
            yield Setting(".".join((*keys, name)), _shown(node, sources.at(*keys, name)), sources.where(*keys, name))
        elif (text := _default(node)) and not (name in forms and sources.given(*keys, forms[name])):
            yield Setting(".".join((*keys, name)), text, DEFAULT)


def _named(section: Section, given: dict[str, Any]) -> Iterator[tuple[str, Key | Section]]:
    """Yield what a section has, by name; where it takes any name, those that are given."""
    for name, node in section.items():
        yield from [(each, node) for each in given] if name in NAMES else [(name, node)]


def _shown(key: Key, value: object) -> str:
    if key.kind in (kinds.SECRET, NOTIFY):
        return HIDDEN
    text = _text(value)
    return _QUERY.sub(f"?{HIDDEN}", text) if key.kind is kinds.BROKER_URL else text


def _default(key: Key) -> str:
    return key.otherwise if key.default is None else _text(key.default)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
