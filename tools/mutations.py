"""Small mistakes that could be made in a source file, each of which a test should notice.

What cannot change a decision is left as it is: types, decorators, log records, failpoints and the texts of errors.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

LOG_METHODS = ("debug", "info", "warning", "error", "exception", "critical", "log")
TOLD_APART_TO = 3
"""Larger numbers are limits and durations: one more is hardly a mistake, ten times as much is."""

MOVED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}

Found = tuple[str, ast.expr | ast.stmt, str]
"""What is wrong, the part of the code in which it is, and what stands there instead."""


@dataclass(frozen=True)
class Mutation:
    """One mistake.

    Attributes:
        kind: What is wrong, in words.
        line: Where.
        text: The whole file with the mistake in it.
    """

    kind: str
    line: int
    text: str


def mutations(text: str) -> list[Mutation]:
    """Return every mistake that is known to be possible in the text of a module, in the order of the text."""
    source = text.encode()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    made: dict[bytes, Mutation] = {}
    for kind, node, instead in _mistakes(ast.parse(text)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        wrong = source[:first] + instead.encode() + source[last:]
        made.setdefault(wrong, Mutation(kind, node.lineno, wrong.decode()))
    return sorted(made.values(), key=lambda mutation: mutation.line)


def _mistakes(node: ast.AST) -> Iterator[Found]:
    for operator in (_in_comparison, _in_condition, _in_value, _in_statement):
        yield from operator(node)
    for child in _deciding(node):
        yield from _mistakes(child)


def _deciding(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that have a say in what happens."""
    match node:
        # Python 3.11 does not know where the parts of an f-string stand.
        case ast.JoinedStr() | ast.Raise() | ast.Assert():
            return
        case ast.Call() if _decides_nothing(node):
            return
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.FunctionDef(args=args, body=body):
            yield from (default for default in (*args.defaults, *args.kw_defaults) if default is not None)
            yield from body
        case ast.ClassDef(body=body):
            yield from body
        case ast.AnnAssign(value=value):
            yield from [value] if value is not None else []
        case _:
            yield from ast.iter_child_nodes(node)


def _decides_nothing(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log") | ast.Attribute(attr="log"), attr=method):
            return method in LOG_METHODS
        case ast.Name(id="failpoint"):
            return True
    return False


def _in_comparison(node: ast.AST) -> Iterator[Found]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            for nth, operator in enumerate(ops):
                for kind, table in (("comparison moved by one", MOVED), ("comparison turned round", TURNED)):
                    if other := table.get(type(operator)):
                        wrong = ast.Compare(left, [*ops[:nth], other(), *ops[nth + 1 :]], others)
                        yield kind, node, ast.unparse(wrong)


def _in_condition(node: ast.AST) -> Iterator[Found]:
    match node:
        case ast.BoolOp(op=operator, values=values):
            other, kind = (ast.Or, "and became or") if isinstance(operator, ast.And) else (ast.And, "or became and")
            yield kind, node, ast.unparse(ast.BoolOp(other(), values))
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _turned(test)
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield from _turned(test)


def _turned(test: ast.expr) -> Iterator[Found]:
    match test:
        case ast.Compare() | ast.Name(id="TYPE_CHECKING"):
            return  # comparisons are turned wherever they stand
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "condition turned round", test, ast.unparse(operand)
        case _:
            yield "condition turned round", test, ast.unparse(ast.UnaryOp(ast.Not(), test))


def _in_value(node: ast.AST) -> Iterator[Found]:
    match node:
        case ast.Constant(value=bool(value)):
            yield f"{value} became {not value}", node, str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "another number", node, repr(value + 1 if value <= TOLD_APART_TO else value * 10)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right) if not _is_text(left, right):
            other = ast.Sub() if isinstance(operator, ast.Add) else ast.Add()
            yield "plus and minus swapped", node, ast.unparse(ast.BinOp(left, other, right))
        case ast.Call(func=ast.Name(id="min" | "max" as name) as function):
            yield "min and max swapped", function, "max" if name == "min" else "min"


def _is_text(*operands: ast.expr) -> bool:
    return any(
        isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        for node in operands
    )


def _in_statement(node: ast.AST) -> Iterator[Found]:
    match node:
        case ast.Expr(value=ast.Call() as call) if not _decides_nothing(call):
            yield "call left out", node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield "assignment left out", node, "pass"
        case ast.AugAssign() | ast.Delete():
            yield "change left out", node, "pass"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "result dropped", node, "return None"
        case ast.Break():
            yield "break became continue", node, "continue"
        case ast.Continue():
            yield "continue became break", node, "break"
