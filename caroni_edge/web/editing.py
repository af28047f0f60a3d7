"""Files that pages and API of both roles change: whether they may, and what a failed change is answered with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from caroni_edge.config import NodeConfig
from caroni_edge.documents.editing import FileChanged, NotWritable, why_not_writable
from caroni_edge.web.problems import Problem

_EDITING = Lock()
"""Held while a file is changed: requests run in several threads."""


def why_not_edited(role: str, settings: NodeConfig, directory: Path, how_to_allow: str) -> str | None:
    """Return why pages and API cannot change files, for people; None when they can.

    Args:
        role: `manager` or `agent`.
        settings: The node's, as they are in force.
        directory: Where the files are.
        how_to_allow: What its owner does about it.
    """
    if settings.web is not None and not settings.web.edit:
        return f"the {role}'s configuration says web.edit: false, so files are changed on the host alone"
    if why := why_not_writable(directory):
        return f"{why}; to allow it, {how_to_allow.format(directory=directory)}"
    return None


@contextmanager
def changing() -> Iterator[None]:
    """Change a file alone.

    Raises:
        Problem: It has changed since it was read, or cannot be written; nothing has changed then.
    """
    with _EDITING:
        try:
            yield
        except FileChanged as error:
            raise Problem(409, f"{error} {error.advice}", "mark") from None
        except NotWritable as error:
            raise Problem(403, f"{error} {error.advice}") from None
