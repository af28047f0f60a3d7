"""What is said at the end when many CWL files were checked: how many can be used, and why the others cannot."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from caroni_edge.documents.documents import Problem

_SHOWN_MAX = 20
_QUOTED = re.compile(r'"[^"]*"')


class Summary(TypedDict):
    """How many files there were, and how many of them for which reason.

    Attributes:
        files: All of them.
        ok: Those that can be used.
        read: Those without a mistake; what some of them need is not served yet.
        needs: What that is, with the number of files.
        mistakes: What is wrong, with what is quoted left out, and in how many files; the most frequent ones.
    """

    files: int
    ok: int
    read: int
    needs: dict[str, int]
    mistakes: dict[str, int]


def summary_of(files: Sequence[Iterable[Problem]]) -> Summary:
    """Count files by what is wrong with them, each file once for a reason."""
    errors = [[each for each in problems if not each.warning] for problems in files]
    needs = Counter(word for each in errors for word in {problem.needs for problem in each if problem.needs})
    mistakes = Counter(words for each in errors for words in {_kind_of(error) for error in each if not error.needs})
    return Summary(
        files=len(errors),
        ok=sum(not each for each in errors),
        read=sum(all(error.needs for error in each) for each in errors),
        needs=dict(needs.most_common()),
        mistakes=dict(mistakes.most_common(_SHOWN_MAX)),
    )


def lines_of(summary: Summary) -> Iterator[str]:
    """Return a summary for people."""
    wrong = summary["files"] - summary["read"]
    waiting = summary["read"] - summary["ok"]
    yield f"{summary['files']} files: {summary['ok']} ok, {waiting} need what is not served yet, {wrong} with mistakes"
    for word, count in summary["needs"].items():
        yield f"  {count:6} need {word}"
    for words, count in summary["mistakes"].items():
        yield f"  {count:6} {words}"


def _kind_of(problem: Problem) -> str:
    """Return what is wrong without the names that are quoted in it, so that alike mistakes count together."""
    return _QUOTED.sub('"…"', problem.what).partition(": ")[0]
