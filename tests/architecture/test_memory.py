"""What decides keeps nothing in memory that would stay when its rows go back (`caroni_edge/base/memory.py`)."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import PACKAGE, Source, listed, sources, within

DECIDING = (
    "delivery",
    "node.allowance",
    "node.parts",
    *(
        f"manager.{room}"
        for room in ("context", "jobs", "offers", "peers", "reactor", "retention", "schedules", "triggers", "workflows")
    ),
    "manager.notifications.notifications",
    *(f"agent.{room}" for room in ("context", "jobs", "offers", "peers", "reactor", "retention")),
)
GO_BACK = {"Memory", "Part", "Assembly"}
"""These note each change of an attribute, and take no plain container."""

EXCEPT = {
    "delivery.timers.Timers": "notes its changes itself: a heap has no other way",
    "agent.jobs.intake._PlacesForMessage": "lives for one message",
    "agent.jobs.intake._Places": "lives for one message",
    "agent.offers.shares.Places": "lives for one look",
    "agent.jobs.quotas.Space": "lives for one look",
    "agent.jobs.fileroom._Share": "lives for one look",
}
CONTAINERS = ("dict", "list", "set", "deque", "Counter", "defaultdict")


def test_what_a_deciding_class_changes_goes_back_with_the_rows() -> None:
    problems = [
        f"{source.where(line)}: {name} keeps `{attribute}`, which would not go back; inherit Memory"
        for source in sources(PACKAGE)
        if within(source.module, *DECIDING)
        for name, attribute, line in changing(source)
        if f"{source.module}.{name}" not in EXCEPT
    ]
    assert not problems, listed(problems)


@pytest.mark.parametrize("name", sorted(EXCEPT))
def test_every_exception_is_there(name: str) -> None:
    module, _, own = name.rpartition(".")
    found = [name for source in sources(PACKAGE) if source.module == module for name, _, _ in changing(source)]
    assert own in found


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("class A:\n def go(self): self.due = 1", ["due"]),
        ("class A:\n def go(self): self.due += 1", ["due"]),
        ("class A:\n def go(self): a, self.due = 1, 2", ["due"]),
        ("class A:\n def __init__(self): self.due = 1", []),
        ("class A:\n def __init__(self): self.seen: dict[str, int] = {}", ["seen"]),
        ("class A:\n def __init__(self): self.seen = set()", ["seen"]),
        ("class A(Part):\n def go(self): self.due = 1", []),
        ("class A:\n def go(self): due = 1", []),
    ],
)
def test_what_would_stay_is_found(text: str, attributes: list[str]) -> None:
    source = Source(sources(PACKAGE)[0].path, text, ast.parse(text))
    assert [attribute for _, attribute, _ in changing(source)] == attributes


def changing(source: Source) -> Iterator[tuple[str, str, int]]:
    """Yield class, attribute and line where an object is changed after it was made, or holds what can be changed."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and not {ast.unparse(base) for base in node.bases} & GO_BACK:
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    for attribute, value, line in assigned(function):
                        if function.name not in ("__init__", "__post_init__") or is_container(value):
                            yield node.name, attribute, line


def assigned(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr | None, int]]:
    """Yield each attribute of `self` that is set, to what, and where."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value):
                targets = [target]
            case _:
                continue
        for part in (part for target in targets for part in ast.walk(target)):
            match part:
                case ast.Attribute(value=ast.Name(id="self"), attr=attribute, ctx=ast.Store()):
                    yield attribute, value, node.lineno


def is_container(value: ast.expr | None) -> bool:
    """Tell whether an expression makes something that can be changed without setting it anew."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) in CONTAINERS
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
