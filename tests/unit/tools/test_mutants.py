"""The mistakes that `make mutants` makes, and the tests that it runs against them."""

import ast
from pathlib import Path, PurePath
from textwrap import dedent

import pytest

from tools import mutants
from tools.mutations import Mutation, mutations
from tools.unnoticeable import UNNOTICEABLE


def changed(text: str) -> list[str]:
    """Return the lines that are wrong in a text, one for each mistake, in the order of the alphabet."""
    lines = text.splitlines()
    return sorted(
        new.strip()
        for mutation in mutations(text)
        for old, new in zip(lines, mutation.text.splitlines(), strict=True)
        if old != new
    )


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("x = a < b", ["x = a <= b", "x = a >= b"]),
        ("x = a >= b", ["x = a < b", "x = a > b"]),
        ("x = a < b < c", ["x = a < b <= c", "x = a < b >= c", "x = a <= b < c", "x = a >= b < c"]),
        ("x = a == b", ["x = a != b"]),
        ("x = a is None", ["x = a is not None"]),
        ("x = a in b", ["x = a not in b"]),
        ("x = a and b or c", ["x = (a and b) and c", "x = a or b or c"]),
        ("x = a if b else c", ["x = a if not b else c"]),
        ("x = [a for a in b if not a]", ["x = [a for a in b if a]"]),
        ("while a: b = c", ["while not a: b = c"]),
        ("x = a + b", ["x = a - b"]),
        ("x = a + 'b'", []),
        ("x = max(a, b)", ["x = min(a, b)"]),
        ("x = True", ["x = False"]),
        ("x = 0, 3, 60, 0.5", ["x = 0, 3, 60, 1.5", "x = 0, 3, 600, 0.5", "x = 0, 4, 60, 0.5", "x = 1, 3, 60, 0.5"]),
        ("x = 'é', 2", ["x = 'é', 3"]),
        ("a.forget(b)", ["pass"]),
        ("a.b = c", ["pass"]),
        ("a[b] = c", ["pass"]),
        ("a += b", ["pass"]),
        ("del a[b]", ["pass"]),
    ],
)
def test_a_line_can_be_wrong_in_these_ways(line: str, wrong: list[str]) -> None:
    assert changed(line) == wrong


def test_a_result_can_be_dropped_and_a_loop_end_or_go_on() -> None:
    text = "def f(a):\n    for b in a:\n        if b:\n            break\n        continue\n    return a\n"
    assert changed(text) == ["break", "continue", "if not b:", "return None"]


@pytest.mark.parametrize(
    "line",
    [
        "log.info('a', extra={'action': 'b', 'count': 1})",
        "self.log.warning('a %d', 1)",
        "failpoint('a')",
        "raise Wrong(1)",
        "x: Literal[1]",
        "def f(a: Literal[1]) -> Literal[2]: ...",
        "@cache(1)\ndef f(): ...",
        "class A(Struct, frozen=True): ...",
        "if TYPE_CHECKING: import a",
        "x = f'{1}'",
        "'''What it does.'''",
    ],
)
def test_what_decides_nothing_is_left_as_it_is(line: str) -> None:
    assert mutations(line) == []


def test_every_mistake_says_its_line_and_is_python() -> None:
    text = dedent(
        """
        def f(a: int, b: int = 0) -> bool:
            if a > b and not (a in C or b):  # é
                return {
                    a: b - 1,
                }
            return D.take(
                a,
            )
        """
    )
    found = mutations(text)
    assert len(found) == 11
    for mutation in found:
        ast.parse(mutation.text)
        assert 2 <= mutation.line <= 7
    assert [mutation.line for mutation in found] == sorted(mutation.line for mutation in found)


def test_a_mutant_is_shown_as_a_diff() -> None:
    mutant = mutants.Mutant(PurePath("a/b.py"), "x = 1\n", Mutation("another number", 1, "x = 2\n"))
    assert mutant.title == "a/b.py:1: another number"
    assert mutant.diff.splitlines() == ["--- a/b.py", "+++ a/b.py", "@@ -1 +1 @@", "-x = 1", "+x = 2"]


def test_its_lines_are_compared_without_their_indent() -> None:
    text = "if a:\n    f(\n        1,\n    )\n"
    (mutant,) = [
        mutants.Mutant(PurePath("b.py"), text, each) for each in mutations(text) if each.kind == "call left out"
    ]
    assert mutant.lines == ("f( 1, )", "pass")


def test_mistakes_that_nobody_can_notice_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 2\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "UNNOTICEABLE", {("x = 1", "x = 2"): "so it is"})
    assert [mutant.lines for mutant in mutants.mutants_of([PurePath("a.py")])] == [("y = 2", "y = 3")]


def test_mistakes_are_made_where_it_is_decided() -> None:
    names = {path.as_posix() for path in mutants.deciding()}
    assert {
        "caroni_edge/delivery/link.py",
        "caroni_edge/manager/reactor.py",
        "caroni_edge/agent/jobs/slots.py",
    } <= names
    assert not any("/store/" in name or "/pages/" in name or name.endswith("daemon.py") for name in names)


def test_the_nearest_tests_are_run_first_and_none_twice() -> None:
    room, role = "tests/unit/manager/workflows", "tests/unit/manager"
    assert list(mutants.stages(PurePath("caroni_edge/manager/workflows/gates.py"))) == [
        (room,),
        (role, f"--ignore={room}"),
        ("tests/simulation",),
        ("tests/unit", "tests/link", f"--ignore={room}", f"--ignore={role}"),
    ]
    of_the_link = list(mutants.stages(PurePath("caroni_edge/delivery/events.py")))
    assert [tests[0] for tests in of_the_link[:-1]] == [
        "tests/unit/delivery",
        "tests/unit/node",
        "tests/link",
        "tests/simulation",
    ]
    assert [tests for tests in of_the_link[-1] if not tests.startswith("--")] == ["tests/unit"]


def test_what_cannot_be_noticed_is_still_there() -> None:
    texts = [(mutants.ROOT / path).read_text(encoding="utf-8") for path in mutants.deciding()]
    joined = [" ".join(line.strip() for line in text.splitlines()) for text in texts]
    gone = [lines for lines, _ in UNNOTICEABLE if not any(lines in text for text in joined)]
    assert not gone, f"these lines are in no module any more: {gone}"
