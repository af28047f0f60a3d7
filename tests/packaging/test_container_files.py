"""What the containers' files say, without a container: who reaches them, and that the broker is the one we ship."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from caroni_edge.cli import main
from tests.brokers import SHIPPED, shipped_acl
from tests.packaging.conftest import ROOT

FILES = ROOT / "packaging" / "containers"
COMPOSE = ("wf-docker-compose.yaml", "agent-docker-compose.yaml")
NODES = ("m1", "a1", "a2")
SITE = "site"


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all that compose starts."""
    for name in COMPOSE:
        yield from yaml.safe_load((ROOT / name).read_text())["services"].items()


def settings(path: Path) -> list[str]:
    """Return the lines of a configuration of mosquitto, without comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def rights(acl: str) -> dict[str, list[str]]:
    """Return what each login may do."""
    blocks = re.findall(r"^user (\S+)\n((?:topic .*\n)+)", acl + "\n", re.MULTILINE)
    return {login: sorted(lines.splitlines()) for login, lines in blocks}


@pytest.mark.parametrize(("name", "service"), list(services()))
def test_compose_bounds_what_a_container_reaches_and_who_reaches_it(name: str, service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["networks"] == ["caroni_shared_net"]
    mounted = [volume.split(":") for volume in service.get("volumes", [])]
    assert all((ROOT / source).exists() and options == ["ro"] for source, _, *options in mounted if source[0] == ".")


def test_each_login_is_there_and_may_what_the_shipped_acl_lets_it() -> None:
    acl = rights((FILES / "broker" / "acl.conf").read_text())
    shipped = rights(shipped_acl(*NODES, SITE))
    assert acl == {login: shipped[login] for login in (*NODES, SITE)}
    logins = [line.partition(":")[0] for line in (FILES / "broker" / "logins").read_text().splitlines()]
    assert logins == [*NODES, SITE]


def test_the_broker_is_the_one_that_we_ship_but_for_tls() -> None:
    ours = {"connection_messages false", "log_dest stderr", "persistence_location /var/lib/mosquitto/"}
    elsewhere = ("listener", "certfile", "keyfile", "password_file", "acl_file")
    shipped = [line for line in settings(SHIPPED / "caroni.conf") if not line.startswith(elsewhere)]
    found = settings(FILES / "broker" / "mosquitto.conf")
    assert sorted(line for line in found if not line.startswith(elsewhere)) == sorted([*shipped, *ours])
    listeners = [line for line in found if line.startswith(("listener", "use_username"))]
    assert listeners == ["listener 1883", "use_username_as_clientid true", "listener 1884"]


def test_the_nodes_configuration_is_right_and_calls_its_login_a_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for role, folder in (("manager", "templates"), ("agent", "jobtypes")):
        (tmp_path / folder).symlink_to(ROOT / "config" / folder)
        text = (FILES / f"{role}.yaml").read_text()
        assert "DEMO LOGIN" in text
        (tmp_path / f"{role}.yaml").write_text(text)
        with pytest.raises(SystemExit) as exit_:
            main(["check-config", str(tmp_path / f"{role}.yaml")])
        assert exit_.value.code == 0, capsys.readouterr().out
