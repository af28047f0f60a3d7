"""Growth stops early: a file or a function that becomes too long is split by noun while that is easy."""

import ast

from tests.architecture.source import functions, listed, sources

MODULE_LINES = 400
TEST_MODULE_LINES = 700
FUNCTION_LINES = 60


def test_no_module_is_too_long() -> None:
    lengths = [
        (source, len(source.text.splitlines())) for source in sources("caroni_edge", "tools", "benchmarks", "tests")
    ]
    problems = [
        f"{source.name} has {lines} lines"
        for source, lines in lengths
        if lines > (TEST_MODULE_LINES if source.name.startswith("tests/") else MODULE_LINES)
    ]
    assert not problems, listed(problems)


def test_no_function_is_too_long() -> None:
    problems = [
        f"{source.where(function)}: {function.name} has {lines} lines"
        for source in sources("caroni_edge", "tools", "benchmarks", "tests")
        for function in functions(source.tree)
        if (lines := length(function)) > FUNCTION_LINES
    ]
    assert not problems, listed(problems)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function; a text in it, such as the tables that a migration makes, counts as one."""
    texts = {(node.lineno, node.end_lineno or 0) for node in ast.walk(function) if isinstance(node, ast.Constant)}
    return (function.end_lineno or 0) - function.lineno + 1 - sum(last - first for first, last in texts)
