"""How much room a store has for the objects of each manager, by what its owner lets them take."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from caroni_edge.objects.disk import NoRoom

STORE, PER_MANAGER = "files.store", "files.per_manager"
"""The settings that bound it."""
NOTHING: Mapping[str, int] = MappingProxyType({})


class Short(NamedTuple):
    """Why there is no room for some bytes.

    Attributes:
        setting: What bounds them.
        why: For people; it names the setting.
        lacking: So many bytes too few are left.
        is_for_ever: There would be none if nothing else were there.
    """

    setting: str
    why: str
    lacking: int
    is_for_ever: bool

    @property
    def of_manager(self) -> bool:
        """Whether it is the bound of one manager, so that nothing of another one makes room."""
        return self.setting == PER_MANAGER


class OverQuota(NoRoom):
    """Some bytes of a manager do not fit, for now."""

    def __init__(self, manager: str, short: Short) -> None:
        """Name the manager, and say why."""
        super().__init__(short.why)
        self.manager, self.short = manager, short


class Quota(NamedTuple):
    """What lies in a store, and what may.

    Attributes:
        store: How many bytes may lie there in all; None: as many as the disk has room for.
        per_manager: How many of them may be one manager's; None: all.
        used: How many lie there, or are reserved.
        used_by: How many of them are each manager's.
    """

    store: int | None = None
    per_manager: int | None = None
    used: int = 0
    used_by: Mapping[str, int] = NOTHING

    @property
    def is_bounded(self) -> bool:
        """Whether there are any bounds."""
        return self.store is not None or self.per_manager is not None

    def with_more(self, manager: str, size_bytes: int) -> "Quota":
        """Return how it is when so many more bytes of a manager lie there."""
        used_by = {**self.used_by, manager: self.used_by.get(manager, 0) + size_bytes}
        return self._replace(used=self.used + size_bytes, used_by=used_by)

    def with_less(self, before: "Quota", after: "Quota") -> "Quota":
        """Return how it is when what lies there has become less, from `before` to `after`."""
        used_by = {name: self.used_by.get(name, 0) for name in {*self.used_by, *before.used_by}}
        for name in used_by:
            used_by[name] -= before.used_by.get(name, 0) - after.used_by.get(name, 0)
        return self._replace(used=self.used - before.used + after.used, used_by=used_by)

    def why_not(self, manager: str, size_bytes: int) -> Short | None:
        """Return why so many bytes of a manager do not fit; None when they do."""
        bounds = ((STORE, self.store, self.used), (PER_MANAGER, self.per_manager, self.used_by.get(manager, 0)))
        shorts = [
            Short(name, _said(name, most, used, size_bytes), lacking, size_bytes > most)
            for name, most, used in bounds
            if most is not None and (lacking := used + size_bytes - most) > 0
        ]
        return max(shorts, key=lambda short: (short.is_for_ever, short.lacking), default=None)


def _said(name: str, most: int, used: int, size_bytes: int) -> str:
    if size_bytes > most:
        return f"{name} is {most} bytes, and these are {size_bytes}"
    whose = "this manager's files" if name == PER_MANAGER else "files"
    return f"{name} is {most} bytes, {used} of them are taken by {whose}, and {size_bytes} more do not fit"
