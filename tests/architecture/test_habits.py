"""House habits that a linter does not know."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import PACKAGE, ROOT, Source, calls, functions, listed, sources, within

SQL_PLACES = ("storage", "doctor.database")
SQL_METHODS = ("execute", "executemany", "executescript")
TRANSACTIONS = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")

LOG_METHODS = ("debug", "info", "warning", "error", "exception", "critical", "log")
RESERVED = ("name", "args", "module", "msg", "message", "asctime", "levelname", "process", "thread")


def test_sql_stands_in_the_stores_only() -> None:
    problems = [
        f"{source.where(call)}: {name}() belongs into a store"
        for source in sources(PACKAGE)
        if not within(source.module, *SQL_PLACES)
        for name, call in calls(source.tree)
        if name.rpartition(".")[2] in SQL_METHODS and not is_transaction(call)
    ]
    assert not problems, listed(problems)


def is_transaction(call: ast.Call) -> bool:
    """Tell whether a statement only opens, ends or undoes a part of a transaction."""
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and str(first.value).startswith(TRANSACTIONS)


SAID_IN_OWN_WORDS = ("cli.init", "cli.demo", "cli.broker")
"""Commands that show nothing of others, and print with click itself."""


def test_commands_print_by_what_cleans_the_words_of_others() -> None:
    problems = [
        f"{source.where(call)}: {name}() lets what others have written command a terminal; use cli/_output.py"
        for source in sources(PACKAGE)
        if within(source.module, "cli") and not within(source.module, "cli._output", *SAID_IN_OWN_WORDS)
        for name, call in calls(source.tree)
        if name in ("click.echo", "click.secho", "print", "json.dumps")
    ]
    assert not problems, listed(problems)


# --- Log records ---------------------------------------------------------------------------------------------------


def test_every_log_record_has_an_action() -> None:
    problems = [
        f"{source.where(call)}: log.{method}() needs extra={{'action': …}}"
        for source in sources(PACKAGE)
        for scope, method, call in log_calls(source)
        if not has_action(call, scope)
    ]
    assert not problems, listed(problems)


def test_no_log_record_uses_a_name_that_logging_needs() -> None:
    problems = [
        f"{source.where(key)}: logging itself uses the key {key.value}"
        for source in sources(PACKAGE)
        for _, _, call in log_calls(source)
        for keyword in call.keywords
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict)
        for key in keyword.value.keys
        if isinstance(key, ast.Constant) and key.value in RESERVED
    ]
    assert not problems, listed(problems)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('log.info("x", extra={"action": "a", "peer": peer})', True),
        ('log.info("x", extra={**ids, "action": "a"})', True),
        ('log.info("x", extra=_ids("a", peer))', True),
        ('ids = {"action": "a"}; log.info("x", extra=ids)', True),
        ('ids = {"action": "a"}; log.info("x", extra={**ids, "peer": peer})', True),
        ('log.info("x")', False),
        ('log.info("x", extra={"peer": peer})', False),
        ('ids = {"peer": peer}; log.info("x", extra=ids)', False),
        ("log.info('x', extra=ids(peer))", False),
    ],
)
def test_records_with_an_action_are_told_from_those_without(text: str, known: bool) -> None:
    source = Source(ROOT / PACKAGE / "sample.py", text, ast.parse(text))
    assert [has_action(call, scope) for scope, _, call in log_calls(source)] == [known]


def log_calls(source: Source) -> Iterator[tuple[ast.AST, str, ast.Call]]:
    """Yield each call that writes a log record, with the innermost function around it."""
    scopes: dict[int, ast.AST] = {}
    for function in functions(source.tree):
        scopes.update((id(node), function) for node in ast.walk(function))
    for name, call in calls(source.tree):
        receiver, _, method = name.rpartition(".")
        if method in LOG_METHODS and receiver.rpartition(".")[2] in ("log", "logger"):
            yield scopes.get(id(call), source.tree), method, call


def has_action(call: ast.Call, scope: ast.AST) -> bool:
    """Tell whether a record's `extra` names its action, directly or by a name that the function gives a value."""
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    return extra is not None and names_action(extra, scope)


def names_action(value: ast.expr, scope: ast.AST) -> bool:
    """Tell whether an expression is a mapping with the key `action`, as far as the text shows."""
    match value:
        case ast.Dict(keys=keys, values=values):
            known = any(isinstance(key, ast.Constant) and key.value == "action" for key in keys)
            merged = [part for key, part in zip(keys, values, strict=True) if key is None]
            return known or any(names_action(part, scope) for part in merged)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return names_action(left, scope) or names_action(right, scope)
        case ast.Call(args=args, keywords=keywords):
            text = bool(args) and isinstance(args[0], ast.Constant | ast.JoinedStr)
            return text or any(keyword.arg == "action" for keyword in keywords)
        case ast.Name(id=name):
            return any(names_action(given, ast.Module([], [])) for given in values_of(name, scope))
    return False


def values_of(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    """Yield what a function assigns to a name."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                yield value


# --- Errors ----------------------------------------------------------------------------------------------------------


def test_no_error_is_swallowed() -> None:
    problems = [
        f"{source.where(handler)}: say, count or pass on what failed"
        for source in sources(PACKAGE, "tools", "benchmarks", "tests")
        for handler in ast.walk(source.tree)
        if isinstance(handler, ast.ExceptHandler) and catches_all(handler) and does_nothing(handler)
    ]
    problems += [
        f"{source.where(call)}: suppresses every error"
        for source in sources(PACKAGE, "tools", "benchmarks", "tests")
        for name, call in calls(source.tree)
        if name.endswith("suppress") and any(ast.unparse(kind) in ("Exception", "BaseException") for kind in call.args)
    ]
    assert not problems, listed(problems)


@pytest.mark.parametrize(
    ("body", "forgets"),
    [
        ("except Exception: pass", True),
        ("except BaseException: result = None", True),
        ("except: pass", True),
        ("except (OSError, Exception): pass", True),
        ("except OSError: pass", False),
        ("except Exception as error: return error", False),
        ("except Exception: raise", False),
        ("except Exception: log.exception('x')", False),
    ],
)
def test_errors_that_are_swallowed_are_told_from_others(body: str, forgets: bool) -> None:
    tree = ast.parse(f"try: work()\n{body}")
    handler = next(node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    assert (catches_all(handler) and does_nothing(handler)) is forgets


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler takes errors of every kind."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def does_nothing(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler forgets the error: it neither uses it nor calls anything."""
    return not any(isinstance(node, ast.Raise | ast.Call) or is_error(node, handler) for node in walk_body(handler))


def walk_body(handler: ast.ExceptHandler) -> Iterator[ast.AST]:
    """Yield every node of a handler's body."""
    return (node for statement in handler.body for node in ast.walk(statement))


def is_error(node: ast.AST, handler: ast.ExceptHandler) -> bool:
    """Tell whether a node is the caught error."""
    return isinstance(node, ast.Name) and node.id == handler.name
