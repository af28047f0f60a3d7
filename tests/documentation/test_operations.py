"""docs/operations.md and what belongs to it name commands, keys, files and sentences that are there."""

import re
import subprocess
from itertools import chain

import pytest

from caroni_edge import cli
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS
from caroni_edge.storage.migrations import DatabaseNewer
from caroni_edge.storage.trouble import PAUSE
from caroni_edge.transport.mqtt import KEEPALIVE_S
from tests.architecture.source import ROOT

PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "docs/failures.md",
        "docs/operations.md",
        "docs/performance.md",
        "docs/templates.md",
        "packaging/ansible/README.md",
        "packaging/systemd/README.md",
    )
}
OPERATIONS = PAGES["docs/operations.md"]
KEYS = {key.name for key in (*MANAGER_KEYS, *AGENT_KEYS)}
SECTIONS = {name.partition(".")[0] for name in KEYS}


@pytest.mark.parametrize("page", PAGES)
def test_each_command_is_there_with_its_options(page: str) -> None:
    typed = re.findall(r"(?:^|[`;&|] ?)caroni-edge ([a-z][a-z-]+)([^`\n;&|#]*)", PAGES[page], re.MULTILINE)
    for name, rest in typed:
        assert name in cli.COMMANDS, name
        command = cli.main.get_command(cli.main.make_context("caroni-edge", [], resilient_parsing=True), name)
        assert command is not None
        known = set(chain(*(parameter.opts + parameter.secondary_opts for parameter in command.params)))
        assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, f"caroni-edge {name}{rest}"


@pytest.mark.parametrize("page", PAGES)
def test_a_shell_can_read_what_is_to_be_typed(page: str) -> None:
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL):
        read = subprocess.run(["bash", "-n"], input=block, check=False, capture_output=True, text=True)
        assert (read.returncode, read.stderr) == (0, ""), block


def test_some_commands_are_found() -> None:
    assert "caroni-edge backup --config" in OPERATIONS
    assert "caroni-edge doctor --config" in OPERATIONS


def test_each_key_is_there() -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", OPERATIONS))
    named = {name for name in named if name.partition(".")[0] in SECTIONS}
    assert len(named) > 3
    assert named - KEYS - {"web.users"} == set()


def test_each_script_that_measures_is_there() -> None:
    scripts = set(re.findall(r"benchmarks/(\w+\.py)", PAGES["docs/performance.md"]))
    assert scripts == {path.name for path in (ROOT / "benchmarks").glob("*.py")}


def test_what_is_quoted_is_what_is_said() -> None:
    said = " ".join(OPERATIONS.split())
    quoted = (DatabaseNewer.__doc__ or "").partition(" (it has")[0].replace("This state", "The state")
    assert f'"{quoted}"' in said
    assert f"{DatabaseNewer.exit_status}." in said[said.index(quoted) :][:200]
    assert f"{PAUSE.first_s:g} s later and up to {PAUSE.max_s / 60:g} min" in said
    assert f"each {KEEPALIVE_S} s" in PAGES["docs/performance.md"]
