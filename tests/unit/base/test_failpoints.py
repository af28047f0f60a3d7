"""Failpoints: a source checkout dies where it is told to, anything else never."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from caroni_edge.base.failpoints import PLACES, VARIABLE, read
from tests.architecture.source import PACKAGE, ROOT, calls, sources

CHANCES = {VARIABLE: "after-commit=0.25,before-commit=1"}


def test_a_checkout_reads_the_chances() -> None:
    assert read(CHANCES, ROOT) == {"after-commit": 0.25, "before-commit": 1.0}


def test_without_the_variable_there_are_none() -> None:
    assert read({}, ROOT) == {}


def test_an_installed_package_ignores_them(tmp_path: Path) -> None:
    assert read(CHANCES, tmp_path) == {}


@pytest.mark.parametrize("text", ["nowhere=1", "after-commit=often", "after-commit"])
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read({VARIABLE: text}, ROOT)


def test_every_place_is_somewhere_in_the_code() -> None:
    named = [
        call.args[0].value
        for source in sources(PACKAGE)
        for name, call in calls(source.tree)
        if name == "failpoint" and isinstance(call.args[0], ast.Constant)
    ]
    assert sorted(map(str, named)) == sorted(PLACES)


@pytest.mark.parametrize(("place", "status"), [("after-commit", -signal.SIGKILL), ("before-commit", 0)])
def test_a_process_dies_at_its_place(place: str, status: int) -> None:
    script = f"from caroni_edge.base.failpoints import failpoint; failpoint({place!r})"
    environ = {**os.environ, VARIABLE: "after-commit=1"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == status
    assert done.stderr == (b"failpoint after-commit\n" if status else b"")
