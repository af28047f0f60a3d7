"""The files and connections that this process may have open."""

import os
import resource

from caroni_edge.doctor.findings import Finding, ok, warning

NEARLY_ALL = 0.8


def check() -> Finding:
    """Count what this process has open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return of_open(len(os.listdir("/proc/self/fd")), None if soft == resource.RLIM_INFINITY else soft)


def of_open(count: int, most: int | None) -> Finding:
    """Judge how many descriptors are open, of those that there may be."""
    if most is None:
        return ok("descriptors", f"{count} files and connections are open, and there is no limit")
    said = f"{count} files and connections are open, and {most} may be"
    if count > NEARLY_ALL * most:
        return warning("descriptors", said, "Raise the limit (systemd: LimitNOFILE).")
    return ok("descriptors", said)
