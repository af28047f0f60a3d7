"""The disk that the state is on: bytes and inodes."""

import os
from collections.abc import Iterator
from pathlib import Path

from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, problem, warning

FEW_INODES = 1000
_MIB = 1 << 20


def check(config: NodeConfig) -> Iterator[Finding]:
    """Look at the file system of the state directory."""
    found = os.statvfs(_existing(config.state_dir))
    free_bytes = found.f_bavail * found.f_frsize
    yield of_space(free_bytes, config.disk_floor_bytes)
    if found.f_files:
        yield of_inodes(found.f_favail)


def of_space(free_bytes: int, floor_bytes: int) -> Finding:
    """Judge the space that is free."""
    free, floor = f"{free_bytes / _MIB:,.0f} MiB are free", f"disk_floor is {floor_bytes / _MIB:,.0f} MiB"
    if free_bytes < floor_bytes:
        return problem(
            "disk", f"{free}, and {floor}: the node takes no new work", "Free some space, or lower disk_floor."
        )
    if free_bytes < 2 * floor_bytes:
        return warning("disk", f"{free}, and {floor}: soon the node will take no new work", "Free some space.")
    return ok("disk", f"{free}, {floor}")


def of_inodes(free: int) -> Finding:
    """Judge the files that can still be made."""
    if free < FEW_INODES:
        return problem("inodes", f"only {free} more files can be made on the disk", "Delete small files there.")
    return ok("inodes", f"{free:,} more files can be made")


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.absolute().parent)
