"""Scripts in the helper process: what they give, what stops them, and that its death costs nothing."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest

from caroni_edge.javascript.engine import Engine, Run
from caroni_edge.javascript.helper import TOO_LONG
from caroni_edge.javascript.interpreter import (
    NOT_SERVED,
    TRIES,
    Answer,
    Interpreter,
    Script,
    helper_environment,
)
from caroni_edge.javascript.syntax import Reader

WITHIN_S = 120.0
ENDED = f"the JavaScript helper has ended over it {TRIES} times"


class Asked:
    """An engine, and what it delivers."""

    def __init__(self, **facts: Any) -> None:
        self.answers: SimpleQueue[tuple[str, Answer]] = SimpleQueue()
        self.engine: Engine[tuple[str, Answer]] = Engine(self.answers.put, Interpreter(**facts))
        self.thread = threading.Thread(target=self.engine.run)
        self.thread.start()

    def ask(self, body: str, names: dict[str, Any] | None = None, **facts: Any) -> Answer:
        """Run a script, and return its answer."""
        self.start("one", Script(body, names or {}, **facts))
        return self.answers.get(timeout=WITHIN_S)[1]

    def start(self, name: str, script: Script) -> None:
        """Have a script run, by a name for its answer."""

        def work(run: Run) -> tuple[str, Answer]:
            return name, run(script)

        self.engine.ask(work)

    def close(self) -> None:
        self.engine.close()
        self.thread.join(WITHIN_S)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    if not os.environ.get("CI"):
        pytest.importorskip("quickjs")
    made = Asked()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("return inputs.x + twice(3);", 10),
        ("return {a: [1, 2.5, null, true, inputs.text]};", {"a": [1, 2.5, None, True, "ü</script>\u2028"]}),
        ("return undefined;", None),
        ("return function () {};", None),
        ("return NaN;", None),
        ("", None),
    ],
)
def test_a_script_gives_what_json_has(asked: Asked, body: str, value: Any) -> None:
    inputs = {"x": 4, "text": "ü</script>\u2028"}
    found = asked.ask(body, {"inputs": inputs, "self": None}, library=["function twice(a) { return 2 * a; }"])
    assert found == Answer(value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("while (true) {}", TOO_LONG),
        ("return /^(a+)+$/.test('a'.repeat(40) + 'b');", TOO_LONG),
        ("let a = []; while (true) { a.push('x'.repeat(100000) + a.length); }", "it took more than 64 MB"),
        ("function f() { return f() + 1; } return f();", "Maximum call stack size exceeded"),
        ("return 'x'.repeat(2000000);", "it gives more than 1048576 characters"),
        ("return (;", "SyntaxError: "),
        ("throw new Error('no ship');", "Error: no ship"),
        ("return nobody;", "ReferenceError: "),
        ("x = 3;", "ReferenceError: "),
        ("let a = []; a.push(a); return a;", "TypeError: "),
    ],
)
def test_what_a_script_cannot_do_says_why_and_the_next_one_is_run(asked: Asked, body: str, said: str) -> None:
    answer = asked.ask(body)
    assert answer.value is None
    assert said in (answer.error or "")
    assert asked.ask("return 1;") == Answer(1)


def test_a_script_knows_the_time_and_chance_that_it_is_given(asked: Asked) -> None:
    body = (
        "return [Date.now(), +new Date(), +new (new Date().constructor)(), +new Date(5), Math.random(), Math.random()];"
    )
    first, again, other = (asked.ask(body, date_ms=1_800_000_000_000, seed=seed).value for seed in (7, 7, 8))
    assert first[:4] == [1_800_000_000_000] * 3 + [5]
    assert first == again
    assert first[4:] != other[4:]
    assert first[4] != first[5]


def test_what_cannot_be_read_is_told_without_being_run(asked: Asked) -> None:
    with Reader() as reader:
        found = reader.mistakes(["while (true) {}", "return (1 +);", "return nobody;", "with (a) {}"])
    assert [each and each.partition(":")[0] for each in found] == [None, "SyntaxError", None, "SyntaxError"]


def test_scripts_share_nothing(asked: Asked) -> None:
    asked.ask("globalThis.left = 1; Array.prototype.left = 1;")
    assert asked.ask("return [typeof left, typeof [].left];") == Answer(["undefined", "undefined"])


def test_a_helper_that_is_killed_comes_back_and_loses_nothing(asked: Asked) -> None:
    found: dict[str, Answer] = {}
    for number in range(200):
        asked.start(str(number), Script("return number * 2;", {"number": number}))
    for at in range(200):
        if at % 40 == 20:
            for each in helpers():
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        name, answer = asked.answers.get(timeout=WITHIN_S)
        found[name] = answer
    assert {name: answer.value for name, answer in found.items()} == {str(n): n * 2 for n in range(200)}


def test_who_asks_much_holds_up_another_by_one_script() -> None:
    given: list[str] = []
    engine: Engine[str] = Engine(given.append)
    for number in range(5):
        engine.ask(lambda _, name=f"much {number}": name, "much")  # type: ignore[misc]
    for name in ("some 0", "some 1"):
        engine.ask(lambda _, name=name: name, "some")  # type: ignore[misc]

    def end(_run: Run) -> str:
        engine.close()
        return "last"

    engine.ask(end, "last")
    engine.run()
    assert given == ["much 0", "some 0", "last"]


def helpers() -> list[psutil.Process]:
    """Return the helper processes that there are."""
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has ended since
            if "caroni_edge.javascript" in each.cmdline():
                found.append(each)
    return found


def test_the_helper_can_open_nothing_and_start_nothing(asked: Asked) -> None:
    asked.ask("return 1;")
    (helper,) = helpers()
    limits = {
        name: helper.rlimit(getattr(psutil, f"RLIMIT_{name}"))[1] for name in ("NOFILE", "NPROC", "FSIZE", "CORE")
    }
    assert limits == {"NOFILE": 3, "NPROC": 0, "FSIZE": 0, "CORE": 0}


def test_a_helper_that_is_asked_nothing_ends_when_nobody_wants_it_any_more() -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("quickjs")
    before = {each.pid for each in helpers()}
    interpreter = Interpreter()
    assert interpreter.answer(Script("return 1;", {})) == Answer(1)
    (helper,) = (each for each in helpers() if each.pid not in before)
    interpreter.close()
    assert helper.wait(WITHIN_S) == 0


def test_the_helper_knows_no_secret_of_the_environment() -> None:
    environ = {"PATH": "/bin", "PYTHONPATH": "x", "TMPDIR": "/t", "CARONI_BROKER_PASSWORD": "secret", "HOME": "/root"}
    assert helper_environment(environ) == {"PATH": "/bin", "PYTHONPATH": "x", "TMPDIR": "/t"}


def pretended(tmp_path: Path, code: str) -> list[str]:
    """Return the command of a helper that is none."""
    path = tmp_path / "helper.py"
    path.write_text(f"import json, os, sys, time\nprint(json.dumps({{'state': 'ready'}}), flush=True)\n{code}\n")
    return [sys.executable, str(path)]


def test_without_the_package_every_script_says_so(tmp_path: Path) -> None:
    (tmp_path / "quickjs.py").write_text("raise ImportError\n")
    root = Path(__file__).parents[3]
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]; from caroni_edge.javascript.helper import main"
    )
    without = Asked(command=[sys.executable, "-c", f"{code}; main()"])
    try:
        assert without.ask("return 1;") == without.ask("return 1;") == Answer(error=NOT_SERVED)
    finally:
        without.close()


@pytest.mark.parametrize(
    ("code", "within_s", "said"),
    [
        ("sys.exit(3)", WITHIN_S, f"{ENDED}: it ended with status 3"),
        ("os.close(0); sys.exit(3)", WITHIN_S, f"{ENDED}: it ended with status 3"),
        ("sys.stdin.readline(); print('{'); sys.stdout.flush()", WITHIN_S, ENDED),
        ("time.sleep(1000)", 1.0, TOO_LONG),
        ("os.close(0); os.close(1); time.sleep(1000)", 1.0, TOO_LONG),
    ],
)
def test_a_helper_that_dies_over_a_script_fails_that_script_alone(
    tmp_path: Path, code: str, within_s: float, said: str
) -> None:
    broken = Asked(command=pretended(tmp_path, code), within_s=within_s)
    try:
        assert (broken.ask("return 1;").error or "").startswith(said)
        assert (broken.ask("return 1;").error or "").startswith(said)
    finally:
        broken.close()
