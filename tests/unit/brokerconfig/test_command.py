"""The command: what it writes, what it keeps when it is said again, and what it refuses."""

import json
import os
import shutil
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caroni_edge.base.errors import UsageError
from caroni_edge.brokerconfig import folder
from caroni_edge.brokerconfig.roster import read_roster
from caroni_edge.cli import main
from caroni_edge.config import load_agent, load_manager
from tests.brokers import find
from tests.support import ordinary_rights

NODES = ("--manager", "m1", "--agent", "a1..a3", "--person", "alice")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "made"


def run(out: Path, *arguments: str, broker: str = "mosquitto") -> Result:
    return CliRunner().invoke(main, ["broker-config", broker, "--out", str(out), *arguments])


def done(out: Path, *arguments: str, broker: str = "mosquitto") -> str:
    result = run(out, *arguments, broker=broker)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(out: Path, *arguments: str, broker: str = "mosquitto") -> str:
    before = contents(out)
    result = run(out, *arguments, broker=broker)
    assert result.exit_code == 2, result.output
    assert contents(out) == before
    return result.stderr


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and directory.is_dir()
    }


def openssl(*arguments: object) -> str:
    command = [find("openssl", "openssl"), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def authority(directory: Path, name: str = "Ours", *, days: int = 2) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    request = directory / "request.pem"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)
    openssl("req", "-new", *new_key, "-subj", f"/CN={name}", "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", days, "-out", certificate)
    return certificate, key


def test_fifty_nodes_and_two_people_in_one_command(out: Path) -> None:
    said = done(out, "--manager", "m1", "--agent", "a1..a50", "--person", "alice", "--person", "bob")
    assert "made for m1, a1, a2, a3, a4, a5, a6, a7 and 45 more" in said
    logins = (out / "broker/caroni.passwd").read_text().splitlines()
    assert [line.split(":")[0] for line in logins] == ["m1", *(f"a{n}" for n in range(1, 51)), "alice", "bob"]
    assert len({(out / f"agents/a{number}/a{number}.password").read_text() for number in range(1, 51)}) == 50
    assert "  url: mqtt://" in said
    assert "--username alice --password-file alice.password" in said


def test_everything_is_its_owners_alone(out: Path) -> None:
    done(out, *NODES, "--tls", "--client-certificates")
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*")) if path.is_dir()} == {0o700}


@pytest.mark.parametrize("how", [(), ("--tls",), ("--tls", "--client-certificates")])
def test_the_lines_for_a_node_are_a_configuration(out: Path, how: tuple[str, ...]) -> None:
    done(out, *NODES, *how, "--topic-root", "ship", "--host", "broker.example")
    (out / "managers/m1/manager.yaml").write_text((out / "managers/m1/broker.yaml").read_text() + "templates: .\n")
    (out / "agents/a2/agent.yaml").write_text((out / "agents/a2/broker.yaml").read_text() + "job_types: .\n")
    manager, agent = load_manager(out / "managers/m1/manager.yaml", {}), load_agent(out / "agents/a2/agent.yaml", {})
    assert (manager.id, manager.topic_root, manager.broker.username) == ("m1", "ship", "m1")
    assert (agent.id, agent.broker.urls[0].host, agent.broker.urls[0].tls) == ("a2", "broker.example", bool(how))
    password = (out / "agents/a2/a2.password").read_text().strip() if len(how) < 2 else None
    assert (agent.broker.password.reveal() if agent.broker.password else None) == password


@pytest.mark.parametrize("how", [(), ("--tls",), ("--tls", "--client-certificates")])
def test_what_is_there_stays_when_more_is_asked_for(out: Path, how: tuple[str, ...]) -> None:
    done(out, *NODES, *how)
    before = contents(out)
    assert "kept for m1, a1, a2, a3, alice" in done(out, *NODES, *how)
    assert contents(out) == before
    assert "made for a4" in done(out, "--agent", "a4")
    after = contents(out)
    derived = {"broker-config.json", "broker/caroni.acl", "broker/caroni.passwd", "ca/index.txt", "ca/index.txt.attr"}
    changed = {name for name, data in before.items() if after.get(name) != data}
    assert changed <= derived | {"ca/index.txt.old"}
    lines = before["broker/caroni.passwd"].splitlines() if not how[1:] else []
    assert set(lines) <= set(after.get("broker/caroni.passwd", b"").splitlines())


def test_a_password_that_was_handed_out_and_deleted_is_kept(out: Path) -> None:
    done(out, *NODES)
    before = (out / "broker/caroni.passwd").read_text()
    (out / "agents/a1/a1.password").unlink()
    done(out, "--agent", "a4")
    assert (out / "broker/caroni.passwd").read_text().startswith(before.partition("alice")[0])
    assert not (out / "agents/a1/a1.password").exists()


@pytest.mark.parametrize("broker", ["mosquitto", "rabbitmq"])
def test_rotation_changes_one_login(out: Path, broker: str) -> None:
    done(out, *NODES, broker=broker)
    before = json.loads((out / "broker-config.json").read_text())["logins"]
    password = (out / "agents/a2/a2.password").read_text()
    assert "made for a2\n" in done(out, "--rotate", "a2", broker=broker)
    after = json.loads((out / "broker-config.json").read_text())["logins"]
    assert [name for name in before if before[name] != after[name]] == ["a2"]
    assert (out / "agents/a2/a2.password").read_text() != password


def test_a_rotated_or_removed_certificate_is_revoked(out: Path) -> None:
    done(out, *NODES, "--tls", "--client-certificates")
    old = {name: (out / f"agents/{name}/{name}.pem").read_bytes() for name in ("a1", "a2", "a3")}
    done(out, "--rotate", "a1", "--remove", "a2")
    assert not (out / "agents/a2").exists()
    assert "user a2\n" not in (out / "broker/caroni.acl").read_text()
    counts = {}
    for name, data in {**old, "new": (out / "agents/a1/a1.pem").read_bytes()}.items():
        certificate = out.parent / f"{name}.pem"
        certificate.write_bytes(data)
        crl = ("-crl_check", "-CRLfile", out / "broker/certs/clients.crl")
        asked = ["verify", *crl, "-CAfile", out / "broker/certs/clients-ca.pem", certificate]
        command = [find("openssl", "openssl"), *map(str, asked)]
        counts[name] = subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert counts == {"a1": False, "a2": False, "a3": True, "new": True}


def test_a_run_that_was_broken_off_is_completed_by_the_next(out: Path) -> None:
    done(out, *NODES)
    shutil.rmtree(out / "broker")
    roster = json.loads((out / "broker-config.json").read_text())
    for name in ("a1", "a2"):
        roster["logins"][name]["password_hash"] = ""  # as before anything was made for them
    (out / "agents/a2/a2.password").unlink()
    (out / "broker-config.json").write_text(json.dumps(roster))
    password = (out / "agents/a1/a1.password").read_text()
    assert "made for a1, a2" in done(out, *NODES)
    assert (out / "agents/a1/a1.password").read_text() == password
    assert (out / "agents/a2/a2.password").exists()
    assert len((out / "broker/caroni.passwd").read_text().splitlines()) == 5


def test_an_authority_of_the_users_own(out: Path, tmp_path: Path) -> None:
    certificate, key = authority(tmp_path)
    done(out, *NODES, "--tls", "--client-certificates", "--ca-cert", str(certificate), "--ca-key", str(key))
    assert (out / "agents/a1/ca.pem").read_bytes() == certificate.read_bytes()
    assert key.read_bytes() not in contents(out).values()
    for made in ("broker/certs/broker.pem", "agents/a1/a1.pem", "people/alice/alice.pem"):
        openssl("verify", "-CAfile", certificate, out / made)
    assert "--ca-key" in refused_late(out, "--agent", "a9")
    other, other_key = authority(tmp_path, "Another")
    assert "not the authority" in refused(
        out, "--ca-cert", str(other), "--ca-key", str(other_key), "--manager", "m1", "--rotate", "a1"
    )
    done(out, "--agent", "a9", "--ca-cert", str(certificate), "--ca-key", str(key))
    openssl("verify", "-CAfile", certificate, out / "agents/a9/a9.pem")


def refused_late(out: Path, *arguments: str) -> str:
    """Refused when it is under way: the directory remembers who is to be added, and nobody has lost anything."""
    before = contents(out)
    result = run(out, *arguments)
    assert result.exit_code == 2
    after = contents(out)
    assert {name for name in before if before[name] != after[name]} <= {"broker-config.json"}
    return result.stderr


def test_a_certificate_that_the_broker_has_already(out: Path, tmp_path: Path) -> None:
    certificate, key = authority(tmp_path, "broker")
    own = ("--server-cert", str(certificate), "--server-key", str(key))
    said = done(out, *NODES, "--tls", *own)
    assert (out / "broker/certs/broker.pem").read_bytes() == certificate.read_bytes()
    assert "ca_file" not in said  # the system's authorities are meant
    assert not (out / "agents/a1/ca.pem").exists()
    done(out, "--agent", "a9")
    assert not (out / "agents/a9/ca.pem").exists()


def test_hosts_stand_in_the_brokers_certificate_and_change_with_it_alone(out: Path) -> None:
    done(out, *NODES, "--tls", "--host", "broker.example", "--host", "192.0.2.7")
    text = openssl("x509", "-in", out / "broker/certs/broker.pem", "-noout", "-ext", "subjectAltName")
    assert text.split("\n")[1].strip().split(", ") == ["DNS:broker.example", "IP Address:192.0.2.7"]
    assert "was made with hosts broker.example, 192.0.2.7" in refused(out, "--host", "other.example")
    node = (out / "agents/a1/broker.yaml").read_text()
    done(out, "--host", "other.example", "--renew")
    assert (out / "agents/a1/broker.yaml").read_text() == node.replace("broker.example", "other.example")
    ssl.create_default_context(cafile=str(out / "agents/a1/ca.pem"))
    openssl("verify", "-CAfile", out / "agents/a1/ca.pem", out / "broker/certs/broker.pem")


def test_what_ends_soon_is_said(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caroni_edge.brokerconfig.certificates.CERTIFICATE_DAYS", 30)
    done(out, *NODES, "--tls", "--client-certificates")
    said = done(out, "--manager", "m1")
    assert "certificates that end within 90 days: the broker, m1, a1, a2, a3, alice" in said


def test_a_bridge_carries_what_both_sides_say_to_each_other_and_may_no_more(out: Path) -> None:
    behind = ("--bridge-manager", "ship", "m2", "--bridge-agent", "ship", "a2..a3")
    done(out, "--manager", "m1", "--agent", "a1", "--person", "alice", *behind, "--tls", "--host", "shore.example")
    config = (out / "bridges/ship/caroni-bridge.conf").read_text()
    password = (out / "bridges/ship/ship.password").read_text().strip()
    assert f"\nremote_username ship\nremote_password {password}\nbridge_cafile " in config
    carried = {tuple(line.split()[1:]) for line in config.splitlines() if line.startswith("topic ")}
    assert {line for line in carried if line[1:] == ("out", "1")} == {
        ("caroni/managers/m1/inbox/agents/a2", "out", "1"),
        ("caroni/managers/m1/inbox/agents/a3", "out", "1"),
        ("caroni/agents/a1/inbox/managers/m2", "out", "1"),
        ("caroni/managers/m2/events/+", "out", "1"),
        ("caroni/replies/#", "out", "1"),
    }
    objects = "caroni/objects"
    assert {line for line in carried if line[0].startswith(objects) and "/a2" in line[0] and "/a1" in line[0]} == {
        (f"{objects}/agents/a1/ask/agents/a2", "out", "0"),
        (f"{objects}/agents/a1/data/agents/a2", "out", "0"),
        (f"{objects}/agents/a2/ask/agents/a1", "in", "0"),
        (f"{objects}/agents/a2/data/agents/a1", "in", "0"),
    }
    assert len([line for line in carried if line[0].startswith(objects)]) == 4 * (2 + 1 + 2), "not m1 and m2"
    ways = {"out": "write", "in": "read"}
    block = (out / "broker/caroni.acl").read_text().partition("user ship\n")[2].partition("\n\n")[0]
    assert set(block.split("\n")[: len(carried)]) == {f"topic {ways[way]} {topic}" for topic, way, _qos in carried}
    assert "topic write caroni/managers/m2/workflows" in (out / "broker/caroni.acl").read_text()  # alice


def test_a_bridge_goes_with_the_nodes_that_are_added(out: Path) -> None:
    done(out, "--manager", "m1", "--bridge-agent", "ship", "a2")
    before = (out / "bridges/ship/caroni-bridge.conf").read_text()
    (out / "bridges/ship/ship.password").unlink()  # it stands in the configuration
    done(out, "--manager", "m3", "--bridge-agent", "ship", "a3")
    after = (out / "bridges/ship/caroni-bridge.conf").read_text()
    assert set(before.splitlines()) < set(after.splitlines())
    for topic in (
        "managers/m3/inbox/agents/a2 out 1",
        "managers/m1/inbox/agents/a3 out 1",
        "presence/managers/m3 in 0",
    ):
        assert f"topic caroni/{topic}\n" in after
    (out / "bridges/ship/caroni-bridge.conf").unlink()
    without = run(out, "--agent", "a1")
    assert (without.exit_code, "--rotate ship" in without.stderr) == (2, True)
    done(out, "--rotate", "ship")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "a2", "--bridge-agent", "ship", "a2"), "a2 is here already"),
        (("--bridge-agent", "ship", "a2", "--bridge-agent", "boat", "a1..a3"), "a2 is behind ship already"),
        (("--agent", "A1"), "--agent A1: this is no name"),
        (("--agent", "a1..b5"), "this is no name"),
        (("--agent", "a5..a1"), "this is no range"),
        (("--agent", "a1..a99999"), "this is no range"),
        (("--agent", "a1", "--manager", "a1"), "--agent a1: this name is given twice"),
        (("--agent", "a1..a3", "--agent", "a2"), "--agent a2: this name is given twice"),
        (("--agent", "caroni-7"), "no login of mosquitto may begin with the topic root caroni"),
        (("--agent", "a1", "--rotate", "a9"), "--rotate a9: there is no such login"),
        (("--agent", "a1", "--allow", "a9", "read", "x"), "--allow a9: there is no such login"),
        (("--agent", "a1", "--allow", "a1", "hear", "x"), '"hear" is no right'),
        (("--agent", "a1", "--allow", "a1", "read", "x/#/y"), "is no topic filter"),
        (("--agent", "a1", "--allow", "a1", "read", "x\ntopic readwrite #"), "no topic filter"),
        (("--agent", "a1", "--topic-root", "a/b"), '"a/b" is no name'),
        (("--agent", "a1", "--host", "b\nDNS:evil"), "is no name and no address of a host"),
        (("--agent", "a1", "--install-dir", "here"), "is no absolute path"),
        (("--agent", "a1", "--client-certificates"), "with --tls alone"),
        (("--agent", "a1", "--port", "1884"), "ports of their own"),
        ((), "nobody is to log in"),
    ],
)
def test_wrong_words_write_nothing(out: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(out, *arguments)
    assert not (out / "broker").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tls",), "was made with tls off"),
        (("--topic-root", "ship"), "was made with root caroni"),
        (("--port", "1999"), "was made with port 1883"),
        (("--person", "a1"), "--person a1: this name is there already, as agent"),
    ],
)
def test_nothing_of_a_directory_changes_silently(out: Path, arguments: tuple[str, ...], said: str) -> None:
    done(out, *NODES)
    assert said in refused(out, *arguments)
    assert "was made with broker mosquitto" in refused(out, broker="rabbitmq")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "a1", "--tls", "--client-certificates"), "it is served for mosquitto"),
        (("--manager", "m1", "--bridge-agent", "ship", "a1"), "bridges are written for mosquitto alone"),
        (("--agent", "a1", "--people-port", "1884"), "one port for nodes and people"),
    ],
)
def test_what_is_not_written_for_rabbitmq(out: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(out, *arguments, broker="rabbitmq")


def test_the_same_words_are_taken_again(out: Path) -> None:
    words = (*NODES, "--install-dir", "/srv/mosquitto/", "--port", "2883", "--people-port", "2884")
    done(out, *words)
    before = contents(out)
    done(out, *words)
    assert contents(out) == before


def test_of_two_runs_at_a_time_none_undoes_what_the_other_has_written(out: Path) -> None:
    there = read_roster(out)
    done(out, *NODES)
    with pytest.raises(UsageError, match="another run has written there"), folder.opened(out, there):
        pass
    with (
        folder.opened(out, read_roster(out)),
        pytest.raises(UsageError, match="another run is writing there"),
        folder.opened(out, read_roster(out)),
    ):
        pass


def test_a_first_run_that_was_broken_off_as_it_began_is_completed(out: Path) -> None:
    out.mkdir()
    (out / ".broker-config.json.new").write_text("{")
    assert "made for m1" in done(out, *NODES)


def test_a_renewal_that_was_broken_off_between_key_and_certificate_is_completed(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(out, *NODES, "--tls")
    key = out / "broker/certs/broker.key"
    rename = Path.rename

    def stop(path: Path, to: Path) -> Path:
        renamed = rename(path, to)
        if to == key:
            raise KeyboardInterrupt
        return renamed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stop)
        assert run(out, "--renew").exit_code != 0
    done(out, "--manager", "m1")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(out / "broker/certs/broker.pem", key)


def test_a_directory_with_something_else_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "notes.txt lies there" in refused(out, *NODES)


def test_a_directory_that_cannot_be_written(out: Path) -> None:
    out.parent.joinpath("file").write_text("")
    assert "Not a directory" in refused(out.parent / "file/below", *NODES)
    out.mkdir(0o500)
    with ordinary_rights():
        assert "Permission denied" in refused(out, *NODES)


def test_a_directory_whose_memory_is_broken(out: Path) -> None:
    done(out, *NODES)
    (out / "broker-config.json").write_text("{")
    assert "this cannot be read" in refused(out, *NODES)


def test_without_openssl(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert "there is no openssl command" in refused(out, *NODES, "--tls")
    done(out.parent / "plain", *NODES)  # needs none


def test_an_authority_that_has_expired(out: Path, tmp_path: Path) -> None:
    certificate, key = authority(tmp_path, days=-1)
    for kind in ("ca", "server"):
        given = (f"--{kind}-cert", str(certificate), f"--{kind}-key", str(key))
        assert "this certificate has expired" in refused(out, *NODES, "--tls", *given)


def test_an_authority_of_ours_that_has_expired_meanwhile(out: Path) -> None:
    done(out, *NODES, "--tls")
    (out / "ca/ca.pem").write_bytes(_expired(out / "ca/ca.key", out.parent))
    assert "this certificate authority has expired" in refused_late(out, "--agent", "a9")


def _expired(key: Path, directory: Path) -> bytes:
    request, certificate = directory / "request.pem", directory / "expired.pem"
    openssl("req", "-new", "-key", key, "-subj", "/CN=Caroni Edge broker CA", "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", -1, "-out", certificate)
    return certificate.read_bytes()


def test_certificates_that_do_not_go_together(out: Path, tmp_path: Path) -> None:
    one, key = authority(tmp_path)
    _other, other_key = authority(tmp_path, "Another")
    for arguments, said in [
        (f"--ca-cert {one} --ca-key {other_key}", "cannot be used"),
        (f"--server-cert {one} --server-key {other_key}", "cannot be used"),
        (f"--server-cert {one}", "it needs --server-key beside it"),
        (f"--ca-key {key}", "it needs --ca-cert beside it"),
        (f"--ca-cert {one}", "it needs --ca-key beside it"),
    ]:
        assert said in refused(out, *NODES, "--tls", *arguments.split())
    assert "Say --tls, too" in refused(out, *NODES, "--ca-cert", str(one), "--ca-key", str(key))


MANAGER = """
id: m2
broker: {{url: mqtt://127.0.0.1}}
topic_root: {root}
reply_to: [answers/#]
triggers:
  hot: {{topic: {topic}, template: alarm}}
  cold: {{topic: {topic}, template: alarm}}
notify:
  - {{on: [failed], topic: ship/alarms}}
  - {{on: [failed], command: [/bin/true]}}
"""


def manager_yaml(out: Path, topic: str, root: str = "caroni") -> tuple[str, str]:
    path = out.parent / "manager.yaml"
    path.write_text(MANAGER.format(topic=topic, root=root))
    return "--config", str(path)


def rights_in_acl(out: Path, login: str) -> list[str]:
    """Return the rights of a login beside those below the topic root."""
    blocks = (out / "broker" / "caroni.acl").read_text().split("user ")
    (own,) = [block.splitlines()[1:] for block in blocks if block.splitlines()[0] == login]
    return [line for line in own if line.startswith("topic ") and "caroni/" not in line]


def test_a_manager_may_hear_and_say_what_its_configuration_names_and_no_more_what_it_named_before(out: Path) -> None:
    done(out, *NODES, "--allow", "m1", "read", "sensors/#", *manager_yaml(out, "sensors/+/temperature"))
    told = ["topic write ship/alarms", "topic write answers/#"]
    assert rights_in_acl(out, "m2") == ["topic read sensors/+/temperature", *told]
    done(out, *manager_yaml(out, "weather/#"))
    assert rights_in_acl(out, "m2") == ["topic read weather/#", *told]
    done(out, "--agent", "a4")
    assert rights_in_acl(out, "m2") == ["topic read weather/#", *told]
    assert rights_in_acl(out, "m1") == ["topic read sensors/#"]
    done(out, "--remove", "m2")
    done(out, "--manager", "m2")
    assert rights_in_acl(out, "m2") == []


def test_a_manager_of_other_topics_is_refused(out: Path) -> None:
    said = refused(out, *NODES, *manager_yaml(out, "x/#", root="fleet"))
    assert "its topic_root is fleet, and that of this broker's nodes is caroni" in said
    assert "--topic-root fleet" in said
