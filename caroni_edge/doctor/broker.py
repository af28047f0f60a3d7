"""The broker: reached, its certificate, the login; then what can be seen by a session of the doctor's own."""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from caroni_edge.base.chance import SystemChance
from caroni_edge.config import BrokerConfig, BrokerUrl, ManagerConfig, NodeConfig
from caroni_edge.doctor import access, daemon, files, limits
from caroni_edge.doctor.database import State
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.doctor.probe import Gone, Probe
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport import failures
from caroni_edge.transport.access import UnusableCaFile, UnusableCertificate, tls_context

CONNECT_WITHIN_S = 5.0
CUT_OFF_WITHIN_S = 1.0
EXPIRES_SOON_S = 14 * 86400.0


def check(config: NodeConfig, job_types: Iterable[str], state: State) -> Iterator[Finding]:
    """Look at the broker from the network up, until something keeps us from looking further."""
    broker = config.broker
    reached = [*_reach(broker), *(_reach(replace(broker, urls=broker.data_urls)) if broker.data_urls else ())]
    yield from reached
    if any(finding.level == "problem" for finding in reached):
        return
    if state.pid is not None:
        yield daemon.check(config)
        if config.broker.username is not None:
            yield ok(
                "limits",
                "login, topics and limits were not probed: a broker may take a second connection with the "
                "node's login for the node, and cut that off; stop it to have them probed",
            )
            return
    try:
        yield from _look(config, job_types, state)
    except Gone as gone:
        yield said("broker", str(gone))


def said(name: str, reason: str) -> Finding:
    """Return why there is no connection; the words of the transport end with what to do."""
    what, sign, hint = reason.rpartition(": ")
    return (
        problem(name, what, f"{hint[:1].upper()}{hint[1:]}.")
        if sign
        else problem(name, reason, "See the broker's log.")
    )


def _reach(broker: BrokerConfig) -> Iterator[Finding]:
    """Say whether the broker's addresses are reached; where one is, the others are no more than warnings."""
    found = [list(_reach_one(broker, url)) for url in broker.urls]
    is_reached = any(finding.level != "problem" for findings in found for finding in findings)
    for finding in (finding for findings in found for finding in findings):
        is_spare = is_reached and finding.level == "problem"
        yield warning(finding.name, finding.sentence, finding.hint) if is_spare else finding


def _reach_one(broker: BrokerConfig, url: BrokerUrl) -> Iterator[Finding]:
    at = f"{url.host}:{url.port}"
    try:
        with socket.create_connection((url.host, url.port), CONNECT_WITHIN_S) as plain:
            if not url.tls:
                yield ok("broker", f"{at} accepts connections")
                return
            with tls_context(broker).wrap_socket(plain, server_hostname=url.host) as encrypted:
                certificate = encrypted.getpeercert() or {}
        yield ok("broker", f"{at} accepts connections, and its certificate is trusted")
        yield of_expiry(ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time())
    except (UnusableCaFile, UnusableCertificate) as error:
        yield problem("broker", str(error), error.advice)
    except (OSError, UnicodeError) as error:
        yield said("broker", failures.unreachable(error, url.host, url.port))


def of_expiry(left_s: float) -> Finding:
    """Judge for how long the broker's certificate is good."""
    days = f"the broker's certificate is good for {left_s / 86400:.0f} more days"
    if left_s < EXPIRES_SOON_S:
        return warning("certificate", days, "Renew it: when it has expired, no node connects any more.")
    return ok("certificate", days)


def of_triggers(config: ManagerConfig) -> Iterator[Finding]:
    """Judge whether triggers have somewhere to connect to, where a login has one session only."""
    if config.rules and not config.broker.data_urls:
        yield problem(
            "triggers",
            "the broker lets each login connect once only, and triggers have a connection beside the manager's own",
            "Set broker.data_url to where it lets a login connect more than once (mosquitto/caroni.conf: 8884).",
        )


def _look(config: NodeConfig, job_types: Iterable[str], state: State) -> Iterator[Finding]:
    """Log in, and look at topics and limits."""
    broker, topics = config.broker, Topics(config.topic_root, config.role, config.id)
    names = [f"{config.topic_root}-doctor-{SystemChance().new_id()}" for _ in range(2)]
    with ExitStack() as opened:
        # The second connection tells whether the broker goes by the login: then it cuts the first one off.
        with Probe(broker, names[0]) as first:
            probe = opened.enter_context(Probe(broker, names[1]))
            shared = broker.username is not None and first.is_cut_off(CUT_OFF_WITHIN_S)
        login = f'user "{broker.username}"' if broker.username is not None else "without a user name"
        yield ok("login", f"the broker takes us in, {login}")
        sessions = limits.Sessions(broker, topics.doctor, is_shared=shared, is_nodes=shared and first.session_present)
        people = config.people if isinstance(config, ManagerConfig) else None
        if shared and isinstance(config, ManagerConfig):
            yield from of_triggers(config)
        rules = config.rules if isinstance(config, ManagerConfig) else ()
        depots = config.depots if isinstance(config, ManagerConfig) else ()
        yield from access.check(
            probe, topics, job_types, state, takes_questions=people is not None, rules=rules, depots=depots
        )
        yield from access.of_people(people or (), has_login=broker.username is not None)
        yield from limits.check(probe, sessions, is_manager=config.role == "managers")
        if config.role == "agents":
            yield from files.check(broker, topics, logins_connect_once=shared)
    if not sessions.is_nodes:
        for name in names:
            with Probe(broker, name, clean=True):
                pass
