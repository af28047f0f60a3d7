"""What is in effect is told with its source, whole and without a secret."""

from pathlib import Path

import pytest

from caroni_edge.config import AGENT_KEYS, MANAGER_KEYS, Setting, load_agent, load_manager

SECRETS = ("pw-broker", "pw-page", "tok-api", "pw-eve", "tok-query", "pw-env", "in-a-file")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("in-a-file\n")
    path = tmp_path / "node.yaml"
    path.write_text(
        "id: m1\n"
        "broker:\n"
        "  url: [mqtt://here, 'wss://there/mqtt?token=tok-query']\n"
        "  username: m1\n"
        "  password: pw-broker\n"
        "web:\n"
        "  password: pw-page\n"
        "  token_file: token\n"
        "  edit: false\n"
        "  users: {eve: {role: viewer, password: pw-eve}}\n"
        "agents: {sh: [a1, a2]}\n"
        "forget_after: 7d\n"
    )
    return path


def test_each_setting_has_its_value_and_its_source(path: Path) -> None:
    environ = {"CARONI_EDGE_RETRY_DELAY": "5s", "CARONI_EDGE_BROKER__PASSWORD": "pw-env"}
    found = {setting.key: setting for setting in load_manager(path, environ).settings}
    for setting in (
        Setting("id", "m1", f"{path}:1"),
        Setting("broker.url", '["mqtt://here", "wss://there/mqtt?(hidden)"]', f"{path}:3"),
        Setting("broker.password", "(hidden)", "environment CARONI_EDGE_BROKER__PASSWORD"),
        Setting("web.password", "(hidden)", f"{path}:7"),
        Setting("web.token_file", "token", f"{path}:8"),
        Setting("web.edit", "false", f"{path}:9"),
        Setting("web.users.eve.role", "viewer", f"{path}:10"),
        Setting("agents.sh", '["a1", "a2"]', f"{path}:11"),
        Setting("forget_after", "7d", f"{path}:12"),
        Setting("retry_delay", "5s", "environment CARONI_EDGE_RETRY_DELAY"),
        Setting("attempts", "5", "default"),
        Setting("web.port", "8000", "default"),
        Setting("max_live_steps", "no limit", "default"),
    ):
        assert found[setting.key] == setting
    assert {"web.token", "web.password_file", "broker.password_file"}.isdisjoint(found), "the other form is given"


def test_no_secret_is_in_it(path: Path) -> None:
    config = load_manager(path, {"CARONI_EDGE_BROKER__PASSWORD": "pw-env"})
    said = f"{config.settings} {config.broker.url} {config!r}"
    assert not [secret for secret in SECRETS if secret in said]


def test_all_keys_that_have_a_value_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("id: n1\nbroker: {url: mqtt://here}\nweb: true\n")
    for load, keys in ((load_manager, MANAGER_KEYS), (load_agent, AGENT_KEYS)):
        in_effect = {setting.key for setting in load(path, {}).settings}
        assert {key.name for key in keys if key.default is not None and key.name.islower()} <= in_effect


def test_a_page_that_is_off_is_one_setting(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("id: n1\nbroker: {url: mqtt://here}\nweb: false\n")
    found = [setting for setting in load_agent(path, {}).settings if setting.key.startswith("web")]
    assert found == [Setting("web", "false", f"{path}:3")]
