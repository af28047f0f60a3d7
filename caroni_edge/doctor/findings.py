"""What was found: the one way to say it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a word.
        level: How bad it is.
        sentence: What was seen.
        hint: What to do about it.
    """

    name: str
    level: Level
    sentence: str
    hint: str = ""


def ok(name: str, sentence: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name, Level.OK, sentence)


def warning(name: str, sentence: str, hint: str = "") -> Finding:
    """Return that something works, but not as well as it could, or not for long."""
    return Finding(name, Level.WARNING, sentence, hint)


def problem(name: str, sentence: str, hint: str = "") -> Finding:
    """Return that something keeps the node from working."""
    return Finding(name, Level.PROBLEM, sentence, hint)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing keeps the node from working."""
    return all(finding.level is not Level.PROBLEM for finding in findings)
