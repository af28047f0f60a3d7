"""What the README tells a newcomer to type is typed, in this order, and does what it says."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.brokers import Mosquitto, find
from tests.support import free_port, wait_until

ROOT = Path(__file__).parents[2]
SECTION = "Your own workflow in five minutes"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_FOR_PEOPLE = ("sudo apt-get install", ". .venv/bin/activate")
DEFAULT_BROKER = "mqtt://127.0.0.1:1883"
BLOCK_WITHIN_S = 180.0


def blocks(section: str) -> list[str]:
    """Return the shell blocks of a section of the README, without what a test must not do to its machine."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"\n## {section}\n")
    found = BLOCK.findall(rest.partition("\n## ")[0])
    lines = ([line for line in block.splitlines() if not line.startswith(ONLY_FOR_PEOPLE)] for block in found)
    return ["\n".join(kept) for kept in lines if kept]


class Shell:
    """A shell that a newcomer types into; what all its commands say is kept."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        self._said = directory / "said"
        with self._said.open("wb") as out:
            self.process = subprocess.Popen(
                ["bash", "-eu"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd=directory,
                env=environ,
                start_new_session=True,
            )
        self._typed = 0

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")

    def type(self, block: str) -> None:
        """Type a block, and wait until its commands have come back."""
        assert self.process.stdin is not None
        self._typed += 1
        mark = f"--- block {self._typed} done"
        self.process.stdin.write(f"{block}\necho '{mark}'\n".encode())
        self.process.stdin.flush()
        self.wait_for(mark)

    def wait_for(self, text: str) -> None:
        """Wait until somebody has said `text`; fail when the shell has ended, as it does at the first error."""

        def look() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"the shell ended with status {self.process.returncode}:\n{self.said}")
            return text in self.said

        wait_until(look, timeout_s=BLOCK_WITHIN_S, what=f"{text!r} in:\n{self.said}")

    def end(self) -> None:
        """End everything that was started from here, the keeper included, which leaves the shell's process group."""
        with suppress(ProcessLookupError):  # all of it may have ended
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(BLOCK_WITHIN_S)


@pytest.fixture
def shell(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Shell]:
    """Open a shell whose caroni-edge and mosquitto clients talk to a broker of the test's own."""
    directory = tmp_path / "clone"
    directory.mkdir()
    # Where mosquitto_pub and mosquitto_sub look for options: README's commands need none for the usual port.
    options = tmp_path / "options"
    options.mkdir()
    for client in ("mosquitto_pub", "mosquitto_sub"):
        find(client, "mosquitto-clients")
        (options / client).write_text(f"-p {mosquitto.port}\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARONI")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = Shell(directory, {**inherited, "PATH": path, "XDG_CONFIG_HOME": str(options)})
    try:
        yield shell
    finally:
        shell.end()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(directory) in part for part in process.info["cmdline"] or ()):
                with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                    process.kill()


def test_the_first_workflow_of_ones_own(shell: Shell, mosquitto: Mosquitto) -> None:
    ports = {"manager": free_port(), "agent": free_port()}
    for block in blocks(SECTION):
        own_ports = block.replace("8000/readyz", f"{ports['manager']}/readyz")
        own_ports = own_ports.replace("8001/readyz", f"{ports['agent']}/readyz")
        shell.type(own_ports.replace(DEFAULT_BROKER, mosquitto.url))
        if "caroni-edge init" in block:
            for role, port in ports.items():
                own = f"sed -i 's#{DEFAULT_BROKER}#{mosquitto.url}#' my/{role}/{role}.yaml"
                shell.type(f"{own}\necho 'web: {{port: {port}}}' >> my/{role}/{role}.yaml")
    shell.wait_for('"outputs":{"shout":"HELLO WORLD! HELLO WORLD! "}')
    wait_until(lambda: shell.said.count("caroni.workflow.completed") == 2, what=f"two events in:\n{shell.said}")


def test_what_is_shown_of_templates_stands_in_the_examples() -> None:
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    templates = [path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*/templates/*.cwl")]
    assert shown
    assert [each for each in shown if not any(each in text for text in templates)] == []
