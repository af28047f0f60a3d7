"""What decides is given the time, new ids and chance: a simulation can then replay every run from its seed."""

import ast

import pytest

from tests.architecture.source import PACKAGE, calls, imports, listed, sources, within

DETERMINISTIC = ("base.states", "delivery", "manager", "agent", "node", "objects.transfer", "protocol")
OUTSIDE = (
    *(f"{role}.{name}" for role in ("manager", "agent") for name in ("daemon", "pages")),
    *(
        f"node.{name}"
        for name in (
            "api_socket",
            "arrivals",
            "bucket",
            "bucketwork",
            "daemon",
            "dataconnection",
            "datatransport",
            "directfetches",
            "httpget",
            "locationfetches",
            "objectdisk",
            "offline",
            "returns",
            "service",
            "startup",
            "transfers",
            "turns",
        )
    ),
    "manager.holding.listreader",
    "manager.holding.storage",
    "manager.listening.threads",
    "manager.notifications.couriers",
    # They start processes, and serve them.
    *("agent.boxes.first", "agent.boxes.host", "agent.boxes.slotids", "agent.keeper"),
    *(
        f"agent.processes.{name}"
        for name in ("hearing", "homes", "keeperlink", "keepers", "openjobs", "recorded", "runner", "trash")
    ),
)
"""The edges of both roles, and of what they share. A new module of theirs is deterministic until it is named here."""

FORBIDDEN_MODULES = (
    *("time", "random", "uuid", "secrets"),
    *("socket", "select", "selectors", "subprocess", "signal", "http", "urllib"),
    *("asyncio", "anyio", "threading", "multiprocessing", "queue"),
)
FORBIDDEN_CALLS = ("os.urandom", "os.getpid", "os.environ", "os.getenv", "input", "hash", "id")
FORBIDDEN_METHODS = ("now", "today", "utcnow")
CLOCKS = ("datetime", "date", "datetime.datetime", "datetime.date")


def test_what_decides_reads_no_clock_chance_or_network() -> None:
    problems = [
        f"{source.where(found.line)}: {found.name} makes it depend on the moment; let it be passed in"
        for source in sources(PACKAGE)
        if within(source.module, *DETERMINISTIC) and not within(source.module, *OUTSIDE)
        for found in imports(source)
        if found.name.split(".")[0] in FORBIDDEN_MODULES
    ]
    assert not problems, listed(problems)


def test_what_decides_is_never_async() -> None:
    problems = [
        f"{source.where(node)}: a decision waits for nothing"
        for source in sources(PACKAGE)
        if within(source.module, *DETERMINISTIC) and not within(source.module, *OUTSIDE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert not problems, listed(problems)


def depends_on_the_moment(name: str) -> bool:
    """Tell whether a call gives another result in another process, or at another time."""
    receiver, _, method = name.rpartition(".")
    return name in FORBIDDEN_CALLS or (method in FORBIDDEN_METHODS and receiver in CLOCKS)


@pytest.mark.parametrize("name", ["datetime.now", "datetime.datetime.utcnow", "date.today", "os.urandom", "hash"])
def test_calls_that_depend_on_the_moment_are_known(name: str) -> None:
    assert depends_on_the_moment(name)


def test_what_decides_calls_nothing_that_depends_on_the_moment() -> None:
    problems = [
        f"{source.where(call)}: {name}() makes it depend on the moment; let it be passed in"
        for source in sources(PACKAGE)
        if within(source.module, *DETERMINISTIC) and not within(source.module, *OUTSIDE)
        for name, call in calls(source.tree)
        if depends_on_the_moment(name)
    ]
    assert not problems, listed(problems)


def test_what_decides_goes_through_no_set_in_its_own_order() -> None:
    """The order of a set of texts is another one in each process; `sorted` or a dict has the same everywhere."""
    problems = [
        f"{source.where(iterated)}: a set has no order; go through a sorted list or a dict"
        for source in sources(PACKAGE)
        if within(source.module, *DETERMINISTIC) and not within(source.module, *OUTSIDE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.For | ast.comprehension) and is_set(iterated := node.iter)
    ]
    assert not problems, listed(problems)


def is_set(value: ast.expr) -> bool:
    """Tell whether an expression is a set, as far as its text shows."""
    match value:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return is_set(left) or is_set(right)
    return False


def test_state_tables_hold_nothing_but_states() -> None:
    """A lifecycle is enums and tables: a function in it would be a rule that the diagrams do not show."""
    problems = [
        f"{source.where(node)}: {source.name} is data; put code beside it"
        for source in sources(PACKAGE)
        if source.module in ("manager.lifecycle", "agent.lifecycle")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.If)
    ]
    assert not problems, listed(problems)
