"""Where a command finds broker and manager: options, the environment, a context."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from caroni_edge.base.errors import CaroniError
from caroni_edge.cli import main
from caroni_edge.cli._context import CONTEXTS, Place, find

SHORE = """\
default: shore
contexts:
  shore:
    broker: mqtts://shore.example
    manager: m1
    username: alice
    password_file: alice.pw
    url: https://shore.example:8000
    token_file: alice.token
  ship: {broker: mqtt://ship.example, manager: m7}
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "contexts.yaml").write_text(SHORE)
    for name in ("alice.pw", "alice.token", "other.token"):
        (tmp_path / name).write_text("secret\n")
    return {CONTEXTS: str(tmp_path / "contexts.yaml")}


def test_the_default_context_says_all_of_it_with_paths_from_its_folder(environ: dict[str, str], tmp_path: Path) -> None:
    assert find({}, None, environ) == Place(
        broker="mqtts://shore.example",
        manager="m1",
        username="alice",
        password_file=tmp_path / "alice.pw",
        url="https://shore.example:8000",
        token_file=tmp_path / "alice.token",
    )
    assert find({}, "ship", environ) == Place(broker="mqtt://ship.example", manager="m7")


def test_options_win_over_the_environment_and_that_over_the_context(environ: dict[str, str]) -> None:
    environ |= {"CARONI_MANAGER": "m2", "CARONI_USERNAME": "bob", "CARONI_URL": ""}
    found = find({"username": "carol", "broker": None}, None, environ)
    assert (found.username, found.manager, found.broker) == ("carol", "m2", "mqtts://shore.example")
    assert found.url == "https://shore.example:8000"


@pytest.mark.parametrize(
    ("options", "more", "lost"),
    [
        ({"broker": "mqtt://other"}, {}, {"username", "password_file", "url", "token_file"}),
        ({}, {"CARONI_BROKER": "mqtt://other"}, {"username", "password_file", "url", "token_file"}),
        ({"url": "http://other"}, {}, {"broker", "username", "password_file", "token_file"}),
        ({}, {"CARONI_URL": "http://other"}, {"broker", "username", "password_file", "token_file"}),
        ({"token": "t"}, {}, {"token_file"}),
        ({}, {"CARONI_TOKEN": "t"}, {"token_file"}),
    ],
)
def test_what_lets_into_the_nodes_of_a_context_goes_nowhere_else(
    environ: dict[str, str], options: dict[str, Any], more: dict[str, str], lost: set[str]
) -> None:
    whole, found = find({}, None, environ)._asdict(), find(options, None, environ | more)._asdict()
    assert {name for name, value in whole.items() if value is not None and found[name] is None} == lost


def test_the_broker_of_one_manager_and_the_page_of_another_do_not_go_together() -> None:
    environ = {"CARONI_BROKER": "mqtt://far", "CARONI_TOKEN": "t", "CARONI_MANAGER": "m1"}
    assert find({"url": "http://near"}, None, environ | {"HOME": "/"}) == Place(
        url="http://near", token="t", manager="m1"
    )


def test_a_token_that_is_named_nearer_is_the_only_one(environ: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.token"
    found = find({"token_file": other}, None, environ | {"CARONI_TOKEN": "far"})
    assert (found.token, found.token_file) == (None, other)
    found = find({}, None, environ | {"CARONI_TOKEN": "t", "CARONI_TOKEN_FILE": str(other)})
    assert (found.token, found.token_file) == ("t", None)


def test_a_configuration_names_its_node_alone(environ: dict[str, str], tmp_path: Path) -> None:
    found = find({"config": tmp_path / "manager.yaml"}, None, environ | {"CARONI_URL": "http://other"})
    assert found == Place(config=tmp_path / "manager.yaml")


def test_without_a_file_there_are_no_contexts(tmp_path: Path) -> None:
    assert find({}, None, {"HOME": str(tmp_path)}).manager is None
    with pytest.raises(CaroniError, match="cannot be read"):
        find({}, None, {CONTEXTS: str(tmp_path / "none.yaml")})


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (SHORE, "shor", r'"shor" is no context \(did you mean "shore"\?\)'),
        ("default: x\ncontexts: {}\n", None, ':1: "x" is no context'),
        ("contexts: {a: {brokre: x}}\n", "a", r':1: unknown key "brokre" \(did you mean "broker"\?\)'),
        ("contexts: {a: {token: x}}\n", "a", 'unknown key "token"'),
        ("contexts: {a: {manager: 1}}\n", "a", "manager must be a text"),
        ("contexts: [a]\n", None, "contexts are a mapping of names"),
        ("contexts: {a: {ca_file: none.pem}}\n", "a", "none.pem, and there is no such file"),
        ("contexts: [", None, "contexts.yaml:2"),
    ],
)
def test_what_is_wrong_with_contexts_is_told(
    environ: dict[str, str], tmp_path: Path, text: str, name: str | None, said: str
) -> None:
    (tmp_path / "contexts.yaml").write_text(text)
    with pytest.raises(CaroniError, match=said) as raised:
        find({}, name, environ)
    assert raised.value.exit_status == 2


def test_a_command_goes_by_the_context(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"CARONI_URL": "http://127.0.0.1:1"}
    answer = CliRunner().invoke(main, ["status", "--context", "ship", "--json"], env=environ)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert '"error": "http://127.0.0.1:1: The manager cannot be reached: ' in answer.stderr
