"""What the owner of a job type wants its jobs to be locked into: the section `sandbox` of its file."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caroni_edge.agent import jobtype_keys
from caroni_edge.config import size
from caroni_edge.documents.documents import Findings
from caroni_edge.values.json import shown

SECTION = "sandbox"
OFF = "off"

_KEYS = jobtype_keys.names(SECTION)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the jobs of a type may be locked into.

    Attributes:
        is_off: Into nothing: the owner trusts this job type with all that the agent's user can do.
        each: Into a box for each job.
        network: Whether a job in a box of its own has the host's network.
        read: Paths of the host that a job in a box of its own sees.
        write: Paths that it may also change.
        processes: How many there may be of a job at a time, in a box or not; None: no bound.
        disk_bytes: How much space a job's directory may take, in a box or not; None: no bound.
    """

    is_off: bool = False
    each: bool = False
    network: bool = True
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    processes: int | None = None
    disk_bytes: int | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths of the host that a job in a box of its own sees."""
        return (*self.read, *self.write)

    def content(self) -> dict[str, Any] | None:
        """Return what it says as JSON, for the version of the job type; None where it says nothing."""
        return None if self == Sandbox() else asdict(self)


def read_sandbox(value: object, findings: Findings, folder: Path) -> Sandbox:
    """Read the section; what is wrong is noted.

    Args:
        value: What stands below `sandbox`; None where nothing does.
        findings: Takes what is wrong.
        folder: Where relative paths start.
    """
    if value is None:
        return Sandbox()
    if value in (OFF, False):
        return Sandbox(is_off=True)
    if not isinstance(value, dict):
        findings.error(
            f"expected off, or what a box is to be like, such as {{each: true}}, got {shown(value)}", SECTION
        )
        return Sandbox()
    findings.unknown_keys(value, _KEYS, SECTION)
    read = tuple(_paths(value, "read", findings, folder))
    write = tuple(_paths(value, "write", findings, folder))
    network = _flag(value, "network", findings, otherwise=True)
    each = _flag(value, "each", findings, otherwise=bool(read or write or not network))
    if not each and (read or write or not network):
        findings.error("read, write and network: false need a box for each job: leave out each: false", SECTION, "each")
    processes = _number(value, "processes", _count, findings)
    disk_bytes = _number(value, "disk", size, findings)
    return Sandbox(each=each, network=network, read=read, write=write, processes=processes, disk_bytes=disk_bytes)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"expected a whole number from 1 on, got {shown(value)}")
    return value


def _number(value: dict[str, Any], key: str, read: Callable[[object], int], findings: Findings) -> int | None:
    if value.get(key) is None:
        return None
    try:
        return read(value[key])
    except ValueError as error:
        findings.error(f"{key}: {error}", SECTION, key)
        return None


def _flag(value: dict[str, Any], key: str, findings: Findings, *, otherwise: bool) -> bool:
    found = value.get(key)
    if found is not None and not isinstance(found, bool):
        findings.error(f"expected true or false, got {shown(found)}", SECTION, key)
        return otherwise
    return otherwise if found is None else found


def _paths(value: dict[str, Any], key: str, findings: Findings, folder: Path) -> Iterable[str]:
    found = value.get(key)
    if found is None:
        return
    if not isinstance(found, list):
        findings.error(f"expected a list of paths, such as [/data], got {shown(found)}", SECTION, key)
        return
    for index, path in enumerate(found):
        if not isinstance(path, str) or not path or not path.isprintable():
            findings.error(f"expected a path, got {shown(path)}", SECTION, key, index)
        else:
            yield str(folder.absolute() / path)
