"""Reads merged values by the table of keys, and collects everything that is wrong with them."""

from typing import Any

from caroni_edge.config.key import Key
from caroni_edge.config.keys import NAMES, SWITCHES, Section
from caroni_edge.config.kinds import Place
from caroni_edge.config.sources import Sources
from caroni_edge.documents.documents import Problem, nearest
from caroni_edge.values.json import shown

Values = dict[str, Any]


class Reader:
    """Goes through the values once; a value that is wrong becomes a problem and None."""

    def __init__(self, sources: Sources, place: Place, problems: list[Problem]) -> None:
        """Read from `sources`, and add what is wrong to `problems`."""
        self.sources = sources
        self.problems = problems
        self._place = place

    def error(self, what: str, *keys: str) -> None:
        """Note that the value at `keys` is wrong."""
        self.problems.append(Problem(self.sources.where(*keys), what))

    def section(self, section: Section, raw: object, *keys: str) -> Values:
        """Read one section; all its keys are in the result, with their defaults where they are not given."""
        if raw is not None and not isinstance(raw, dict):
            self.error(f"expected keys and values below {'.'.join(keys) or 'the top'}, got {_kind_of(raw)}", *keys)
            return {}
        given = raw or {}
        if _is_open(section):
            return self._open_section(section, given, *keys)
        values: Values = {}
        for name in given:
            if name not in section:
                self.error(f'unknown key "{name}"{nearest(name, section)}', *keys, name)
        for name, node in section.items():
            value = given.get(name)
            if isinstance(node, Key):
                values[name] = self._value(node, value, *keys, name)
            elif isinstance(value, bool) and name in SWITCHES:
                values[name] = self.section(node, None, *keys, name) if value else None
            elif value is not None or not _is_open(node):
                values[name] = self.section(node, value, *keys, name)
            else:
                values[name] = None
        self._take_secrets(section, given, values, *keys)
        return values

    def _open_section(self, section: Section, given: Values, *keys: str) -> Values:
        """Read a section whose keys are names that people choose, as those of managers or users."""
        (placeholder, inner), *_ = section.items()
        values: Values = {}
        for name, value in given.items():
            try:
                NAMES[placeholder].read(name, self._place)
            except ValueError as error:
                self.error(str(error), *keys, name)
                continue
            if isinstance(inner, Key):
                values[name] = self._value(inner, value, *keys, name)
            else:
                values[name] = self.section(inner, value, *keys, name)
        return values

    def _value(self, key: Key, value: object, *keys: str) -> object:
        if value is None:
            if key.required:
                self.error(f'"{".".join(keys)}" is missing: write {keys[-1]}: {key.example}', *keys)
            value = key.default
        if value is None:
            return None
        try:
            return key.kind.read(value, self._place)
        except ValueError as error:
            self.error(f"{'.'.join(keys)}: {error}", *keys)
            return None

    def _take_secrets(self, section: Section, given: Values, values: Values, *keys: str) -> None:
        """Give what was read from a secret's file to the key of that secret (`password_file` to `password`)."""
        for name, node in section.items():
            if not isinstance(node, Key) or not node.gives:
                continue
            secret = values.pop(name)
            if given.get(name) is None:
                continue
            if given.get(node.gives) is not None:
                self.error(f"both {node.gives} and {name} are given: leave one out", *keys, name)
            values[node.gives] = secret


def _is_open(section: Section) -> bool:
    return any(name in NAMES for name in section)


def _kind_of(raw: object) -> str:
    """Return what stands there; a text is not repeated, for it may be a URL with a password."""
    return "a text" if isinstance(raw, str) else shown(raw)
