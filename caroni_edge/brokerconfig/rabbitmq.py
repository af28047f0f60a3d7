"""The files of RabbitMQ: its configuration, and definitions with logins, their hashed passwords and their rights."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from caroni_edge.brokerconfig.mosquitto import CERTIFICATE, KEY
from caroni_edge.brokerconfig.rights import Right
from caroni_edge.brokerconfig.roster import Login, Roster, Setup

CONFIG, DEFINITIONS = "conf.d/50-caroni.conf", "caroni-definitions.json"
EXCHANGE, HOST = "amq.topic", "/"
_SETTINGS = """\
# Made by `caroni-edge broker-config`, which writes it anew: own settings belong into a file of their own.

# Nothing but MQTT: for AMQP as well, say where it listens in another file.
listeners.tcp = none
mqtt.allow_anonymous = false
mqtt.prefetch = 100

# Logins and their rights; read at each start.
load_definitions = {install_dir}/{definitions}

"""
_PLAIN = "mqtt.listeners.tcp.default = {port}\n"
_TLS = """\
mqtt.listeners.tcp = none
mqtt.listeners.ssl.default = {port}
ssl_options.certfile = {install_dir}/{certificate}
ssl_options.keyfile = {install_dir}/{key}
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
"""


def files(roster: Roster) -> Iterator[tuple[str, str]]:
    """Yield names below RabbitMQ's directory, and what is in the files: all but the key and the certificate."""
    setup = roster.setup
    text = _SETTINGS + (_TLS if setup.tls else _PLAIN)
    yield (
        CONFIG,
        text.format(
            install_dir=setup.install_dir, definitions=DEFINITIONS, port=setup.port, certificate=CERTIFICATE, key=KEY
        ),
    )
    yield DEFINITIONS, json.dumps(definitions(roster), indent=1) + "\n"


def definitions(roster: Roster) -> dict[str, Any]:
    """Return the logins with their rights, as RabbitMQ imports them."""
    logins = roster.logins.values()
    return {
        "vhosts": [{"name": HOST}],
        "users": [
            {
                "name": login.name,
                "password_hash": login.password_hash,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
            for login in logins
        ],
        "permissions": [_queues(roster.setup, login) for login in logins],
        "topic_permissions": [_topics(login, list(roster.rights(login))) for login in logins],
    }


def _queues(setup: Setup, login: Login) -> dict[str, str]:
    """Return which queues a login may use: those of its own sessions, which RabbitMQ names by their client ids."""
    root, name = re.escape(setup.root), re.escape(login.name)
    if login.is_node:
        role = f"{login.role}s"
        sessions = f"{root}-{role}-{name}|{root}/{role}/{name}/.+|{root}-doctor-.+"
    else:
        sessions = f"{root}/people/{name}/.+|{root}-submit-.+"
    mine = rf"mqtt-subscription-({sessions})qos[01]"
    both = rf"^({mine}|amq\.topic)$"
    return {"user": login.name, "vhost": HOST, "configure": f"^{mine}$", "write": both, "read": both}


def _topics(login: Login, rights: Iterable[Right]) -> dict[str, str]:
    may: dict[str, list[str]] = {"read": [], "write": []}
    for right in rights:
        for access, patterns in may.items():
            if right.access in {access, "readwrite"}:
                patterns.append(_pattern(right.topic))
    return {
        "user": login.name,
        "vhost": HOST,
        "exchange": EXCHANGE,
        **{access: f"^({'|'.join(patterns)})$" if patterns else "^$" for access, patterns in may.items()},
    }


def _pattern(topic: str) -> str:
    """Return a topic filter as a pattern of RabbitMQ's names for topics, which have `.` for `/`."""
    if topic == "#":
        return ".+"
    levels = [re.escape(level) if level not in {"+", "#"} else level for level in topic.split("/")]
    text = r"\.".join("[^.]+" if level == "+" else level for level in levels)
    return text.removesuffix(r"\.#") + r"(\..+)?" if levels[-1] == "#" else text
