"""SQL stands beside the method that runs it, and what the two say of each other is true."""

import ast
import inspect
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from textwrap import dedent
from typing import Any, NamedTuple, get_type_hints

import pytest

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


Check = Callable[[Method], Iterator[str]]


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


def where_it_stands(method: Method) -> Iterator[str]:
    """A statement stands right above the one method that runs it."""
    runs = set(constants(method.tree))
    if runs != set(method.above):
        yield f"runs {sorted(runs)}, and above it stand {sorted(method.above)}"


def what_it_is(method: Method) -> Iterator[str]:
    """A statement is a constant of its class; methods put none together."""
    for node in ast.walk(method.tree):
        is_sql = isinstance(node, ast.Constant) and isinstance(node.value, str) and VERB.match(node.value)
        is_made = isinstance(node, ast.BinOp | ast.FormattedValue) and any(map(is_constant, ast.iter_child_nodes(node)))
        if is_sql or is_made:
            yield f"make the SQL of {ast.unparse(node)} a constant above the method"
    for call in method.calls():
        if not method.statements(call):
            yield f"{ast.unparse(call)} runs no constant of its class"


def parameters(method: Method) -> Iterator[str]:
    """What a method gives are the parameters of the statement."""
    for call in method.calls():
        if name_of(call) != "_run_each":
            named, of_row = given(method, call)
            asked = {name: set(PARAMETER.findall(sql)) for name, sql in method.statements(call).items()}
            yield from (f"{name} is not given {each}" for name in asked for each in asked[name] - named - of_row)
            yield from (f"no statement asks for {each}" for each in named.difference(*asked.values()))


def columns(method: Method) -> Iterator[str]:
    """The columns that a statement gives are the fields of the row that is made of them."""
    for call in method.calls():
        if name_of(call) in READS:
            kind = getattr(import_module(method.kind.__module__), ast.unparse(call.args[0]), None)
            for name, sql in method.statements(call).items():
                found = columns_of(method.kind, sql)
                if found != (fields_of(kind) if hasattr(kind, "_fields") else found[:1]):
                    yield f"{name} has the columns {found}"


CHECKS = (where_it_stands, what_it_is, parameters, columns)


@pytest.mark.parametrize("check", CHECKS)
def test_statements_and_methods_fit(check: Check) -> None:
    problems = [f"{method}: {said}" for kind in CLASSES for method in methods(kind) for said in check(method)]
    assert not problems, listed(problems)


class Boat(NamedTuple):
    topic: str
    seq: int


class BoatRows(Rows):
    RIGHT = "SELECT topic, seq FROM events WHERE seq > :seq"

    def right(self, seq: int) -> list[Boat]:
        return self._all(Boat, self.RIGHT, seq=seq)

    def where_it_stands(self, seq: int) -> list[Boat]:
        return self._all(Boat, self.RIGHT, seq=seq)

    def what_it_is(self) -> int | None:
        return self._one(int, "SELECT seq FROM events")

    def parameters(self, seq: int) -> list[Boat]:
        return self._all(Boat, self.PARAMETERS, sequence=seq)

    PARAMETERS = "SELECT topic, seq FROM events WHERE seq > :seq"

    COLUMNS = "SELECT seq, topic FROM events"

    def columns(self) -> list[Boat]:
        return self._all(Boat, self.COLUMNS)


@pytest.mark.parametrize("check", CHECKS)
def test_what_does_not_fit_is_found(check: Check) -> None:
    found = {method.tree.name for method in methods(BoatRows) if list(check(method))}
    assert check.__name__ in found
    assert "right" not in found


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


def fields_of(kind: Any) -> tuple[str, ...]:
    """Return the fields of a row; in place of a row that is one of them, those of that."""
    hints = get_type_hints(kind)
    return tuple(each for name in hints for each in (getattr(hints[name], "_fields", None) or (name,)))


def columns_of(kind: type[Rows], sql: str) -> tuple[str, ...]:
    """Return the names of what a statement gives."""
    conn = database("agents" if ".agent." in kind.__module__ else "managers")
    return tuple(column[0] for column in conn.execute(sql, dict.fromkeys(PARAMETER.findall(sql), 0)).description)


@cache
def database(role: Role) -> sqlite3.Connection:
    return memory_database(role).conn
