"""How much space on disk something takes."""

import os
from collections.abc import Iterable
from itertools import islice

COUNTED_FILES = 100_000
"""More files of a job are not counted when its space is: that would hold up other jobs."""
BLOCK_BYTES = 512
"""What `st_blocks` counts in (stat(2))."""


def taken_bytes(directory: str) -> int:
    """Return the space on disk that a directory and all in it take; no more than `COUNTED_FILES` files are counted."""
    taken, left, to_look_at = 0, COUNTED_FILES, [directory]
    while to_look_at and left > 0:
        try:
            with os.scandir(to_look_at.pop()) as entries:
                for entry in islice(entries, left):
                    left -= 1
                    taken += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        to_look_at.append(entry.path)
        except OSError:
            continue  # what a job has hidden from us, or deletes meanwhile, is not counted
    return taken


def deleted_bytes(pids: Iterable[int]) -> int:
    """Return the space of files that have no name any more, and that these processes have open."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                about = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if about.st_nlink == 0:
                found[about.st_dev, about.st_ino] = about.st_blocks * BLOCK_BYTES
    return sum(found.values())
