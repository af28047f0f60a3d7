"""The command line as a whole, and `init` with the starter files."""

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from caroni_edge import __version__, cli
from caroni_edge.base.errors import UsageError
from caroni_edge.config import AGENT_KEYS, MANAGER_KEYS, Key, load_agent, load_manager
from caroni_edge.config.automation_kinds import INPUTS, PLAIN_INPUTS
from caroni_edge.config.keys import NAMES
from caroni_edge.documents.documents import parse
from caroni_edge.protocol.topics import Topics
from tests.architecture.source import sources

ROOT = Path(__file__).parents[3]
WRITTEN = sorted(name.replace("_", "-") for _, name, _ in pkgutil.iter_modules(cli.__path__) if name[0] != "_")


def command(name: str) -> click.Command:
    found = cli.main.get_command(click.Context(cli.main), name)
    assert found is not None, f"{name} is no command: add it to COMMANDS, or let its file begin with _"
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_every_command_has_an_example_and_its_sentence_in_the_help(name: str) -> None:
    found = command(name)
    assert (found.epilog or "").startswith(f"Example: caroni-edge {name}")
    assert cli.COMMANDS[name] == (found.help or "").partition("\n\n")[0].replace("\n", " ").strip()
    shown = CliRunner().invoke(cli.main, [name, "--help"])
    assert (shown.exit_code, "Example: " in shown.output) == (0, True)


def test_every_command_that_is_named_is_there() -> None:
    assert sorted(cli.COMMANDS) == WRITTEN


def test_every_command_is_run_in_a_test() -> None:
    words = {
        word.value
        for source in sources("tests")
        for node in ast.walk(source.tree)
        for word in (node.args if isinstance(node, ast.Call) else getattr(node, "elts", []))
        if isinstance(word, ast.Constant)
    }
    in_readme = re.findall(r"^caroni-edge ([a-z-]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    lost = set(WRITTEN) - words - set(in_readme)
    assert not lost, f"no test runs {', '.join(sorted(lost))}, and the README does not"


def test_help_and_version_import_no_command() -> None:
    code = (
        "import sys, runpy; from caroni_edge.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "loaded = [name for name in sys.modules if name.startswith('caroni_edge.cli.')]\n"
        "print(*[name for name in loaded if not name.startswith('caroni_edge.cli._')])"
    )
    for option in ("--help", "--version"):
        said = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
        assert said.stdout.splitlines()[-1] == ""


def test_version() -> None:
    assert CliRunner().invoke(cli.main, ["--version"]).output == f"caroni-edge {__version__}\n"


def test_completion_offers_commands_and_options() -> None:
    context = click.Context(cli.main)
    assert [item.value for item in cli.main.shell_complete(context, "ch")] == ["check-config"]
    assert "--version" in [item.value for item in cli.main.shell_complete(context, "--")]


class TestErrors:
    @pytest.fixture
    def group(self, monkeypatch: pytest.MonkeyPatch) -> cli.Commands:
        """Return a group whose one command raises what the test sets."""
        group = cli.Commands("caroni-edge")
        monkeypatch.setattr(group, "get_command", lambda _ctx, _name: click.Command("fail", callback=self.fail))
        monkeypatch.delenv(cli.DEBUG, raising=False)
        return group

    error: Exception

    def fail(self) -> None:
        raise self.error

    def test_an_error_for_people(self, group: cli.Commands) -> None:
        self.error = UsageError("a.yaml:3", "this is wrong", "Write it right.")
        said = CliRunner().invoke(group, ["fail"])
        assert (said.exit_code, said.stdout) == (2, "")
        assert said.stderr == "a.yaml:3: this is wrong.\n  Write it right.\n"

    def test_an_error_of_the_system(self, group: cli.Commands) -> None:
        self.error = PermissionError(13, "Permission denied", "/etc/x")
        said = CliRunner().invoke(group, ["fail"])
        assert (said.exit_code, said.stderr) == (1, "/etc/x: Permission denied\n")

    def test_a_mistake_of_ours_is_two_lines(self, group: cli.Commands) -> None:
        self.error = KeyError("x")
        said = CliRunner().invoke(group, ["fail"])
        assert said.exit_code == 1
        assert said.stderr.splitlines()[0] == "caroni-edge: KeyError: 'x'"
        assert "CARONI_DEBUG=1" in said.stderr.splitlines()[1]

    def test_its_traceback_can_be_had(self, group: cli.Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = KeyError("x")
        monkeypatch.setenv(cli.DEBUG, "1")
        assert CliRunner().invoke(group, ["fail"]).exception is self.error


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(cli.main, ["managr"]).exit_code == 2


@pytest.mark.parametrize(
    ("role", "beside"),
    [("manager", "templates/test_simple.cwl"), ("agent", "jobtypes/foojob0.yaml")],
)
def test_init_writes_what_can_be_loaded(tmp_path: Path, role: str, beside: str) -> None:
    done = CliRunner().invoke(cli.main, ["init", role, str(tmp_path / "new dir")])
    assert done.exit_code == 0, done.output
    written = [Path(line.removeprefix("wrote ")) for line in done.stdout.splitlines() if line.startswith("wrote ")]
    assert tmp_path / "new dir" / beside in written
    for path in written:
        assert path.read_bytes() == (ROOT / "config" / path.relative_to(tmp_path / "new dir")).read_bytes()
    assert f"caroni-edge {role} --config '{tmp_path}/new dir/{role}.yaml'" in done.stdout
    load = load_manager if role == "manager" else load_agent
    config = load(tmp_path / "new dir" / f"{role}.yaml", {})
    assert config.state_dir == tmp_path / "new dir" / "state" / role


def test_both_roles_fit_into_one_directory(tmp_path: Path) -> None:
    for role in ("manager", "agent"):
        assert CliRunner().invoke(cli.main, ["init", role, str(tmp_path)]).exit_code == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    there = tmp_path / "jobtypes" / "foojob2.yaml"
    there.parent.mkdir()
    there.write_text("mine")
    done = CliRunner().invoke(cli.main, ["init", "agent", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{there}: this file is there already")
    assert (there.read_text(), (tmp_path / "agent.yaml").exists()) == ("mine", False)


def settings(value: object, *names: str) -> dict[tuple[str, ...], object]:
    """Return each value of a configuration by its keys."""
    if not isinstance(value, dict):
        return {names: value}
    return {keys: leaf for name, inner in value.items() for keys, leaf in settings(inner, *names, name).items()}


def named(key: Key, names: tuple[str, ...]) -> bool:
    """Tell whether these names are what a key is called."""
    parts = key.name.split(".")
    if key.kind in (INPUTS, PLAIN_INPUTS):  # what stands below it has the names of somebody's inputs
        names = names[: len(parts)]
    return len(names) == len(parts) and all(
        part in NAMES or part == each for part, each in zip(parts, names, strict=True)
    )


@pytest.mark.parametrize(("role", "keys"), [("manager", MANAGER_KEYS), ("agent", AGENT_KEYS)])
def test_the_examples_show_every_key_with_its_default(role: str, keys: tuple[Key, ...]) -> None:
    path = ROOT / "config" / f"{role}.yaml"
    # Settings are commented out with a bare `#`, prose with `# `.
    setting = r"""^( *)#((?:  )*(?:"\*"|[a-z0-9_]+):(?: |$))"""
    whole = re.sub(setting, r"\1\2", path.read_text(), flags=re.MULTILINE)
    found = settings(parse(whole, path).value)
    own = {"state_dir", "templates", "job_types", "managers.MANAGER.weight"}
    secrets = {key.name.removesuffix("_file") for key in keys if key.gives}
    for key in keys:
        if key.name in secrets:
            continue
        values = [value for names, value in found.items() if named(key, names)]
        assert values, f"{path} does not show {key.name}"
        if key.default is not None and key.name not in own:
            assert set(values) == {key.default}, key.name
    known = sum(len([keys for names in found if named(key, names)]) for key in keys)
    assert known == len(found), "the example shows a key that there is not"


def test_the_acl_lets_nodes_say_all_that_they_say() -> None:
    lines = (ROOT / "config" / "mosquitto" / "acl.conf").read_text().splitlines()
    allowed: dict[str, set[tuple[str, str]]] = {}
    for line in lines:
        match line.split():
            case ["user", user]:
                rules = allowed.setdefault(user, set())
            case ["topic", access, topic]:
                rules.update((each, topic) for each in re.findall("read|write", access))
    m1, a1 = Topics("caroni", "managers", "m1"), Topics("caroni", "agents", "a1")
    assert allowed["m1"] >= {
        ("read", m1.triggers),
        ("read", m1.inboxes),
        ("read", m1.presence_of_peers),
        ("write", m1.inbox_of("+")),
        ("write", m1.events("+")),
        ("write", m1.request("+")),
        ("write", m1.presence),
        ("write", "caroni/replies/#"),
    }
    assert allowed["a1"] >= {
        ("read", a1.inboxes),
        ("read", a1.presence_of_peers),
        ("read", a1.requests_for("+")),
        ("write", a1.inbox_of("+")),
        ("write", a1.presence),
    }
    assert allowed["alice"] >= {("write", m1.triggers), ("read", m1.events("+"))}


def test_a_trigger_that_no_manager_would_take_is_not_sent() -> None:
    words = ["submit", "t", "-i", f"text={'x' * 65536}", "--broker", "mqtt://127.0.0.1:1", "--manager", "m1"]
    answer = CliRunner().invoke(cli.main, words)
    assert answer.exit_code == 2
    assert "bytes, and 65536 are allowed" in answer.stderr
