"""The files for each broker: one truth for rights, and passwords in the brokers' own forms."""

import base64
import re
from pathlib import Path

import pytest

from caroni_edge.brokerconfig import mosquitto, passwords, rabbitmq
from caroni_edge.brokerconfig.roster import Extra, Login, Roster, Setup

SHIPPED = Path(__file__).parents[3] / "config/mosquitto"
LOGINS = (Login("m1", "manager"), Login("a1", "agent"), Login("alice", "person"))


def roster(*logins: Login, **setup: object) -> Roster:
    facts = {"broker": "mosquitto", "root": "caroni", "hosts": ("broker.example",), "tls": True}
    facts |= {"client_certificates": False, "port": 8883, "people_port": 8884, "install_dir": "/etc/mosquitto"}
    named = {login.name: login for login in logins or LOGINS}
    return Roster(setup=Setup(**{**facts, **setup}), logins=named)  # type: ignore[arg-type]


def lines_that_count(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_acl_that_we_ship_is_what_is_written() -> None:
    _head, _, blocks = (SHIPPED / "acl.conf").read_text().partition("\n\n")
    assert mosquitto.acl(roster()) == f"\n{blocks}"


def test_the_configuration_that_we_ship_is_what_is_written() -> None:
    written = dict(mosquitto.files(roster()))[mosquitto.CONFIG]
    assert lines_that_count(written) == lines_that_count((SHIPPED / "caroni.conf").read_text())


def test_without_tls_no_certificate_is_named() -> None:
    written = dict(mosquitto.files(roster(tls=False, port=1883, people_port=1884)))[mosquitto.CONFIG]
    assert "cert" not in " ".join(lines_that_count(written))
    assert re.findall(r"^listener .*", written, re.M) == ["listener 1883", "listener 1884"]


def test_with_client_certificates_there_are_no_passwords() -> None:
    files = dict(mosquitto.files(roster(client_certificates=True)))
    assert mosquitto.PASSWORDS not in files
    assert "password" not in " ".join(lines_that_count(files[mosquitto.CONFIG]))
    assert files[mosquitto.CONFIG].count("require_certificate true\nuse_identity_as_username true") == 2


def test_another_root_stands_in_every_topic() -> None:
    files = dict(mosquitto.files(roster(root="ship")))
    assert "clientid_prefixes ship\n" in files[mosquitto.CONFIG]
    assert all(line.split()[2].startswith("ship/") for line in files[mosquitto.ACL].splitlines() if "topic" in line[:5])


def test_a_password_is_hashed_as_mosquitto_passwd_does_it() -> None:
    """Made by mosquitto_passwd 2.0.11 of the password `secret`."""
    made = (
        "$7$101$+nPphCGSjUfIktm8$"
        "rlVkb4rXqR89o0AjgGuGO9bhGn7Y4agTxEe8keLEdx1k5x40ncrlT7wFQBiHV1UIOxcDzrzJqWGsPX1HBpSRXA=="
    )
    assert passwords.for_mosquitto("secret", base64.b64decode("+nPphCGSjUfIktm8")) == made


def test_a_password_is_hashed_as_rabbitmq_documents_it() -> None:
    """The example of https://www.rabbitmq.com/docs/passwords."""
    made = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert passwords.for_rabbitmq("test12", bytes.fromhex("908DC60A")) == made


def test_passwords_differ_and_so_do_hashes_of_one() -> None:
    one, other = passwords.new_password(), passwords.new_password()
    assert one != other
    assert len(one) == 32
    assert passwords.for_mosquitto(one) != passwords.for_mosquitto(one)
    assert passwords.for_rabbitmq(one) != passwords.for_rabbitmq(one)


@pytest.mark.parametrize(
    ("name", "may", "topic", "fits"),
    [
        ("m1", "read", "caroni.managers.m1.workflows", True),
        ("m1", "read", "caroni.managers.m1.inbox.agents.*", True),
        ("m1", "read", "caroni.managers.m2.workflows", False),
        ("m1", "write", "caroni.agents.a9.inbox.managers.m1", True),
        ("m1", "write", "caroni.agents.a9.inbox.managers.m2", False),
        ("m1", "write", "caroni.replies.alice.x.y", True),
        ("m1", "write", "caroni.replies_of.alice", False),
        ("m1", "read", "sensors.north.temperature", True),
        ("m1", "write", "sensors.north.temperature", False),
        ("a1", "write", "caroni.presence.agents.a1", True),
        ("a1", "write", "caroni.presence.agents.a2", False),
        ("a1", "read", "caroni.#", False),
        ("alice", "write", "caroni.managers.m1.workflows", True),
        ("alice", "write", "caroni.managers.m1.inbox.agents.a1", False),
        ("alice", "read", "caroni.managers.m1.events.#", True),
        ("alice", "read", "caroni.replies.bob.x", False),
    ],
)
def test_topics_as_patterns_of_rabbitmq(name: str, may: str, topic: str, fits: bool) -> None:
    made = roster(broker="rabbitmq")
    made = Roster(setup=made.setup, logins=made.logins, extras=(Extra("m1", "read", "sensors/+/temperature"),))
    found = {each["user"]: each for each in rabbitmq.definitions(made)["topic_permissions"]}
    assert bool(re.search(found[name][may], topic)) == fits


def test_all_topics_are_a_pattern_of_rabbitmq() -> None:
    made = roster(broker="rabbitmq")
    made = Roster(setup=made.setup, logins=made.logins, extras=(Extra("alice", "read", "#"),))
    found = {each["user"]: each for each in rabbitmq.definitions(made)["topic_permissions"]}
    assert re.search(found["alice"]["read"], "sensors.north")
    assert not re.search(found["alice"]["write"], "sensors.north")


@pytest.mark.parametrize(
    ("name", "client_id", "may"),
    [
        ("m1", "caroni-managers-m1", True),
        ("m1", "caroni/managers/m1/triggers", True),
        ("m1", "caroni-managers-m11", False),
        ("m1", "caroni-agents-a1", False),
        ("a1", "caroni/agents/a1/data-x", True),
        ("a1", "caroni/managers/a1/data-x", False),
        ("alice", "caroni-submit-abc", True),
        ("alice", "caroni/people/alice/1", True),
        ("alice", "caroni-managers-m1", False),
        ("managers-m1", "caroni-managers-m1", False),
    ],
)
def test_which_sessions_a_login_has_at_rabbitmq(name: str, client_id: str, may: bool) -> None:
    made = roster(*LOGINS, Login("managers-m1", "person"), broker="rabbitmq")
    found = {each["user"]: each for each in rabbitmq.definitions(made)["permissions"]}
    for access in ("configure", "write", "read"):
        assert bool(re.search(found[name][access], f"mqtt-subscription-{client_id}qos1")) == may
