"""What a template says of the files of an input or an output, beside their type. It is part of a plan."""

from __future__ import annotations

from typing import Any

import msgspec

from caroni_edge.values.carried import basename_of, secondary_of
from caroni_edge.values.json import shown


class SecondaryFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that lies beside another one (CWL v1.2, "SecondaryFileSchema").

    Attributes:
        pattern: Of its name, by that of the other one: `.bai` is added, each `^` takes a suffix away; or an expression.
        required: Whether it must be there, perhaps by an expression; None: as CWL has it, an input's must, others not.
    """

    pattern: str
    required: bool | str | None = None

    @property
    def is_served(self) -> bool:
        """Whether it can be known without working out expressions."""
        return "$" not in self.pattern and not isinstance(self.required, str)

    def name(self, basename: str) -> str:
        """Return the name that it has beside a file of that name."""
        pattern = self.pattern
        while pattern.startswith("^"):
            pattern, basename = pattern[1:], basename.rpartition(".")[0] or basename
        return basename + pattern


class FileUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of the files of an input or an output beside their type.

    Attributes:
        secondary_files: Those that lie beside them.
        load_contents: Their text is part of the value.
        load_listing: How deep directories are listed; None: not at all.
        streamable: They are read once, from beginning to end.
        format: IRIs of what they hold.
        fields: The same for the fields of a record, by name.
    """

    secondary_files: tuple[SecondaryFile, ...] = ()
    load_contents: bool = False
    load_listing: str | None = None
    streamable: bool = False
    format: tuple[str, ...] = ()
    fields: dict[str, FileUse] = {}

    def lacks(self, value: Any, *, required: bool) -> str | None:
        """Return which file that is to lie beside one of a value is not among its secondary files; None for none.

        Args:
            value: It has the type.
            required: Whether those must be there of which nothing is said.
        """
        match value:
            case list():
                return next((words for each in value if (words := self.lacks(each, required=required))), None)
            case {"class": "File"}:
                return self._lacks(value, required=required)
            case dict():
                of_fields = [use.lacks(value.get(name), required=required) for name, use in self.fields.items()]
                return next((words for words in of_fields if words), None)
        return None

    def _lacks(self, value: dict[str, Any], *, required: bool) -> str | None:
        name, there = basename_of(value), {basename_of(each) for each in secondary_of(value)}
        for each in self.secondary_files:
            wanted = each.name(name)
            must = required if each.required is None else each.required
            if each.is_served and must and wanted not in there:
                return f"the file {shown(name)} comes without {shown(wanted)}, which is to be among its secondaryFiles"
        return None
