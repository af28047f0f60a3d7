"""The types File and Directory: a value is an object that leads to what it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from caroni_edge.values.json import why_not_json
from caroni_edge.values.types import Array, Record, Type, Union, expected

DIRECTORY = "Directory"
FILE_NAMES = ("File", DIRECTORY)


@dataclass(frozen=True, slots=True)
class FileType(Type):
    """A file or a directory: an object that says where it is, or what is in it (CWL v1.2, "File", "Directory")."""

    name: str

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values are objects of this class that lead somewhere."""
        return all(self._fits(value) for value in values)

    def _fits(self, value: object) -> bool:
        if not isinstance(value, dict) or value.get("class") != self.name or why_not_json(value) is not None:
            return False
        texts = ("location", "path", "contents") if self.name == "File" else ("location", "path")
        has_listing = self.name == "Directory" and isinstance(value.get("listing"), list)
        return has_listing or any(isinstance(value.get(each), str) for each in texts)

    def blame(self, value: object) -> tuple[str, str]:
        """Return what such an object has."""
        if isinstance(value, dict) and value.get("class") == self.name:
            within = "contents" if self.name == "File" else "listing"
            return "", why_not_json(value) or f'a {self.name} needs "location", "path" or "{within}"'
        return "", f"{expected(self, value)}: write {{class: {self.name}, location: …}}"

    def takes(self, source: Type) -> bool:
        """Tell whether `source` is the same."""
        return self == source

    @property
    def spec(self) -> object:
        """The name."""
        return self.name

    def __str__(self) -> str:
        return self.name


def file_in(kind: Type) -> str | None:
    """Return `File` or `Directory` where values of a type may hold one; else None."""
    match kind:
        case FileType():
            return kind.name
        case Array():
            return file_in(kind.items)
        case Record():
            inner = [each for _, each in kind.fields]
        case Union():
            inner = list(kind.members)
        case _:
            return None
    return next((found for each in inner if (found := file_in(each))), None)


def with_names_of_files(value: Any) -> Any:
    """Return a value in which each file has the parts of its name, `nameroot` and `nameext` (CWL v1.2, "File")."""
    if isinstance(value, list):
        return [with_names_of_files(each) for each in value]
    if isinstance(value, Mapping):
        return {**parts_of_name(value), **{key: with_names_of_files(each) for key, each in value.items()}}
    return value


def parts_of_name(value: Mapping[str, Any]) -> dict[str, str]:
    """Return `nameroot` and `nameext` of an object that is a file with a name; nothing of others."""
    basename = value.get("basename") if value.get("class") == "File" else None
    if not isinstance(basename, str):
        return {}
    path = PurePath(basename)
    return {"nameroot": path.stem, "nameext": path.suffix}
