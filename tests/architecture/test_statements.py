"""SQL stands beside the method that runs it, and what the two say of each other is true."""

import ast
import inspect
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from textwrap import dedent
from typing import Any, get_type_hints

from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations import Role
from caroni_edge.storage.rows import Rows
from tests.architecture.layers import STORES
from tests.architecture.source import PACKAGE, listed, sources, within
from tests.statements import PARAMETER, store_classes

VERB = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|PRAGMA)\b")
RUNS = ("_run", "_run_each", "_insert", "_one", "_only", "_all", "_each", "_page")
READS = ("_one", "_only", "_all", "_each", "_page")


@dataclass(frozen=True, eq=False)
class Method:
    """A method of a store, with the statements that stand right above it."""

    kind: type[Rows]
    tree: ast.FunctionDef
    above: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind.__module__.partition('.')[2]}.{self.kind.__name__}.{self.tree.name}"

    def calls(self) -> Iterator[ast.Call]:
        """Yield the calls that run a statement."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS:
                yield node

    def statements(self, call: ast.Call) -> dict[str, str]:
        """Return the statements that a call may run: those of its argument, or of what the argument was set to."""
        given = call.args[1] if name_of(call) in READS else call.args[0]
        if isinstance(given, ast.Name):
            sets = [node for node in ast.walk(self.tree) if isinstance(node, ast.Assign)]
            (given,) = [node.value for node in sets if ast.unparse(node.targets[0]) == ast.unparse(given)]
        return {name: getattr(self.kind, name) for name in constants(given)}


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def constants(tree: ast.AST) -> list[str]:
    """Return the constants of the class that are named in an expression or a method."""
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_constant(node)]


def is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr.isupper() and ast.unparse(node.value) == "self"


def methods(kind: type[Rows]) -> Iterator[Method]:
    """Yield the methods of a class, as they stand."""
    (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    above: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            above.append(node.targets[0].id)
        elif isinstance(node, ast.FunctionDef):
            yield Method(kind, node, tuple(above))
            above = []


CLASSES = list(store_classes(*STORES))
METHODS = [method for kind in CLASSES for method in methods(kind)]


def test_classes_with_statements_stand_in_the_stores() -> None:
    problems = [
        f"{source.where(node)}: {node.name} belongs into one of {', '.join(STORES)}, and its name ends in Rows"
        for source in sources(PACKAGE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Rows") for base in node.bases)
        if not (within(source.module, *STORES) and node.name.endswith("Rows"))
    ]
    assert not problems, listed(problems)
    assert len(CLASSES) > 20


def test_a_statement_stands_right_above_the_one_method_that_runs_it() -> None:
    problems = [
        f"{method} runs {sorted(used)}, and above it stand {sorted(method.above)}"
        for method in METHODS
        if (used := set(constants(method.tree))) != set(method.above)
    ]
    assert not problems, listed(problems)


def test_every_statement_is_a_constant() -> None:
    problems = [
        f"{method}: make the SQL of {ast.unparse(node)} a constant above the method"
        for method in METHODS
        for node in ast.walk(method.tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and VERB.match(node.value))
        or (isinstance(node, ast.BinOp | ast.FormattedValue) and any(map(is_constant, ast.iter_child_nodes(node))))
    ]
    problems += [
        f"{method}: {ast.unparse(call)} runs no constant of its class"
        for method in METHODS
        for call in method.calls()
        if not method.statements(call)
    ]
    assert not problems, listed(problems)


def test_the_parameters_are_those_of_the_statement() -> None:
    problems = []
    for method in METHODS:
        for call in method.calls():
            if name_of(call) == "_run_each":
                continue
            named, of_row = given(method, call)
            asked = {name: set(PARAMETER.findall(sql)) for name, sql in method.statements(call).items()}
            problems += [
                f"{method}: {name} is not given {each}" for name in asked for each in asked[name] - named - of_row
            ]
            problems += [f"{method}: no statement asks for {each}" for each in named.difference(*asked.values())]
    assert not problems, listed(problems)


def given(method: Method, call: ast.Call) -> tuple[set[str], set[str]]:
    """Return the parameters that a call names, and those that are fields of a row that it gives as a whole."""
    named = {keyword.arg for keyword in call.keywords if keyword.arg}
    if name_of(call) == "_page":
        named.add("limit")
    of_row: set[str] = set()
    for whole in [keyword.value for keyword in call.keywords if keyword.arg is None]:
        row = ast.unparse(whole).removesuffix("._asdict()")
        of_row |= set(get_type_hints(getattr(method.kind, method.tree.name))[row]._fields)
    return named, of_row


def test_the_columns_are_the_fields_of_the_row() -> None:
    problems = [
        f"{method}: {name} has the columns {found}, and {kind.__name__} the fields {fields(kind)}"
        for method in METHODS
        for call in method.calls()
        if name_of(call) in READS
        for kind in [type_named(method, ast.unparse(call.args[0]))]
        for name, sql in method.statements(call).items()
        for found in [columns(method.kind, sql)]
        if found != (fields(kind) if hasattr(kind, "_fields") else found[:1])
    ]
    assert not problems, listed(problems)


def fields(kind: Any) -> tuple[str, ...]:
    """Return the fields of a row; in place of a row that is one of them, those of that."""
    hints = get_type_hints(kind)
    return tuple(each for name in hints for each in (getattr(hints[name], "_fields", None) or (name,)))


def type_named(method: Method, name: str) -> Any:
    """Return what a name in a method means."""
    return getattr(import_module(method.kind.__module__), name, None)


def columns(kind: type[Rows], sql: str) -> tuple[str, ...]:
    """Return the names of what a statement gives."""
    conn = database("agents" if ".agent." in kind.__module__ else "managers")
    return tuple(column[0] for column in conn.execute(sql, dict.fromkeys(PARAMETER.findall(sql), 0)).description)


@cache
def database(role: Role) -> sqlite3.Connection:
    return memory_database(role).conn
