"""What strangers have written cannot command the terminal of who looks at it, whichever command shows it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.web.server import WebServer
from tests.web_bench import TOKEN, ManagerBench, serve_manager

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \x9b31m \x7f \x08\r \u202eevil\u2066 \u200b\x00 \ufeff \U000e0041 end"
"""ESC, OSC, C1, DEL, backspace, bidi controls, zero-width and tag characters."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Serve a manager to which an agent has said hostile things wherever it can say something."""
    path = tmp_path_factory.mktemp("state")
    bench = ManagerBench(path)
    bench.see("a1", "foojob0", "foojob1", "foojob2", refuses={"foojob1": HOSTILE})
    bench.trigger(workflow="w1")
    for _ in range(5):
        job = bench.fail("a1", "foojob0", HOSTILE, stderr=f"one\n{HOSTILE}\n").job
        bench.bring_log("a1", job, f"one\n\ttwo {HOSTILE}\n".encode(), end=True)
    bench.trigger(workflow="w2", message=HOSTILE)
    for job_type in ("foojob0", "foojob1", "foojob2"):
        bench.status("a1", bench.place("a1", job_type).job, "completed", begun=True, outputs={"jobout": HOSTILE})
    with serve_manager(bench, path) as served:
        yield served
    bench.close()


def on_terminal(server: WebServer, *words: str) -> str:
    """Return what a command writes to a terminal that is its standard output and its standard error."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "caroni_edge", *words, "--url", server.url]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "CARONI_TOKEN": TOKEN}) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            written += data
        process.wait(60)
    os.close(ours)
    return written.decode()


def controls(text: str) -> list[str]:
    """Return what is neither text, nor a word in a colour, nor the end of a line, nor a tab."""
    text = re.sub(r"\x1b\[(?:3|9)[0-7]m([a-z]+)\x1b\[0m", r"\1", text)
    # A terminal makes CR LF of each LF.
    return [char for char in text.replace("\r\n", "\n") if not char.isprintable() and char not in "\n\t"]


COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("status", "w1"),
    ("status", "w2"),
    ("status", "w2", "--outputs"),
    ("status", "w1", "--failed"),
    ("status", "w2", "--json"),
    ("why", "w1"),
    ("why", "w1/upper"),
    ("why", "w1", "--json"),
    ("logs", "w1/upper"),
    ("logs", "w1/upper", "--json"),
    ("status", f"none{HOSTILE}".replace("\0", "")),
    ("cancel", f"none{HOSTILE}".replace("\0", "")),
    ("retry", "w1"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:20])
def test_a_terminal_gets_text_alone(server: WebServer, words: tuple[str, ...]) -> None:
    written = on_terminal(server, *words)
    assert written
    assert "Traceback" not in written
    assert not controls(written), repr(written)


def test_what_is_drawn_in_place_moves_the_cursor_alone(server: WebServer) -> None:
    written = on_terminal(server, "status", "w2", "--watch", "--outputs")
    assert r"\u001b[2J" in written
    assert not controls(re.sub(r"\x1b\[(?:\?25[lh]|2K|1A)|\r", "", written)), repr(written)


def test_json_is_the_same_for_programs(server: WebServer) -> None:
    found = json.loads(on_terminal(server, "status", "w2", "--json"))
    assert found["outputs"] == {"result": HOSTILE}


def test_a_log_is_raw_where_that_is_asked_for_and_where_no_terminal_is(server: WebServer) -> None:
    assert "\x1b[2J" in on_terminal(server, "logs", "w1/upper", "--raw")
    command = [sys.executable, "-m", "caroni_edge", "logs", "w1/upper", "--url", server.url, "--token", TOKEN]
    piped = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    assert piped == f"one\n\ttwo {HOSTILE}\n".encode()


def test_tabs_and_lines_of_a_log_stay(server: WebServer) -> None:
    written = on_terminal(server, "logs", "w1/upper")
    assert written.startswith("one\r\n")
    assert "\ttwo " in written
    assert r"\x1b[2J" in written


def test_a_path_is_shown_clean(tmp_path: Path) -> None:
    file = tmp_path / "\x1b[2Jbad.yaml"
    file.write_text("id: m1\ntemplates: t\nbroker: {url: mqtt://127.0.0.1}\n")
    command = [sys.executable, "-m", "caroni_edge", "check-config", str(file)]
    answer = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    assert not controls(answer.stdout + answer.stderr)
