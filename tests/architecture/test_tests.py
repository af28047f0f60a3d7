"""Tests wait for conditions and never for time, and each of them can fail."""

import ast

from tests.architecture.source import Source, calls, functions, listed, sources

SLEEPS = ("time.sleep", "asyncio.sleep", "anyio.sleep", "sleep")
WAITING_IN_ONE_PLACE = "tests/support.py"
ASSERTING = ("assert", "expect", "check", "take", "nothing_else", "validate", "wait_until", "fail", "raises", "warns")


def test_no_test_sleeps() -> None:
    problems = [
        f"{source.where(call)}: {name}() guesses how long something takes; use wait_until(condition)"
        for source in sources("tests")
        if source.name != WAITING_IN_ONE_PLACE
        for name, call in calls(source.tree)
        if name in SLEEPS
    ]
    assert not problems, listed(problems)


def test_every_test_can_fail() -> None:
    problems = [
        f"{source.where(function)}: {function.name} asserts nothing"
        for source in sources("tests")
        if source.path.name.startswith("test_")
        for function in functions(source.tree)
        if function.name.startswith("test_") and not asserts(function, source)
    ]
    assert not problems, listed(problems)


def asserts(function: ast.AST, source: Source) -> bool:
    """Tell whether a test asserts something itself, or by what it calls in the same file."""
    seen: set[ast.AST] = set()
    waiting = [function]
    while waiting:
        found = waiting.pop()
        seen.add(found)
        if any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(found)):
            return True
        called = {name.rpartition(".")[2].lstrip("_") for name, _ in calls(found)}
        if any(name.startswith(ASSERTING) for name in called):
            return True
        helpers = (other for other in functions(source.tree) if other.name.lstrip("_") in called)
        waiting += [helper for helper in helpers if helper not in seen]
    return False
