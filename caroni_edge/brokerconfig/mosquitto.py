"""The files of mosquitto: the configuration that we ship, fitted to a roster; ACL and passwords."""

from collections.abc import Iterator
from importlib import resources

from caroni_edge.brokerconfig.rights import Role
from caroni_edge.brokerconfig.roster import Login, Roster, Setup

MADE = "# Made by `caroni-edge broker-config`, which writes it anew: own settings belong into a file of their own.\n"
CONFIG, ACL, PASSWORDS = "conf.d/caroni.conf", "caroni.acl", "caroni.passwd"
CERTIFICATE, KEY = "certs/broker.pem", "certs/broker.key"
CLIENT_CA, REVOKED = "certs/clients-ca.pem", "certs/clients.crl"
NODES_LISTENER = "8883"
"""In the configuration that we ship."""
_ACL_HEAD = """\
#
# A node is known by its inbox: whoever may write into .../inbox/agents/a1 is the agent a1.
"""
_WHO: dict[Role, str] = {
    "manager": "The manager {name}",
    "agent": "The agent {name}",
    "bridge": "The bridge to {name}",
    "person": "A person who starts workflows at {managers} and follows them",
}


def files(roster: Roster) -> Iterator[tuple[str, str]]:
    """Yield names below mosquitto's directory, and what is in the files: all but keys and certificates."""
    yield CONFIG, MADE + "\n".join(_configuration(roster.setup)) + "\n"
    yield ACL, MADE + _ACL_HEAD + acl(roster)
    if not roster.setup.client_certificates:
        yield PASSWORDS, "".join(f"{login.name}:{login.password_hash}\n" for login in roster.logins.values())


def acl(roster: Roster) -> str:
    """Return the ACL, a block for each login."""
    return "".join(f"\n{_block(roster, login)}" for login in roster.logins.values())


def _block(roster: Roster, login: Login) -> str:
    comment = _WHO[login.role].format(name=login.name, managers=", ".join(roster.named("manager")) or "no manager")
    lines = [f"# {comment}", f"user {login.name}"]
    lines += [f"topic {right.access} {right.topic}" for right in roster.rights(login)]
    return "\n".join(lines) + "\n"


def _configuration(setup: Setup) -> Iterator[str]:
    """Yield the lines of the shipped configuration without its head, as this set-up needs them."""
    shipped = (resources.files("caroni_edge") / "starter/mosquitto/caroni.conf").read_text(encoding="utf-8")
    _head, _, body = shipped.partition("\n\n")
    yield ""
    for line in body.splitlines():
        match line.split():
            case ["listener", port]:
                yield f"listener {setup.port if port == NODES_LISTENER else setup.people_port}"
            case ["certfile", _]:
                if setup.tls:
                    yield f"certfile {setup.install_dir}/{CERTIFICATE}"
            case ["keyfile", _]:
                if setup.tls:
                    yield f"keyfile {setup.install_dir}/{KEY}"
                if setup.client_certificates:
                    yield from _by_certificate(setup)
            case ["clientid_prefixes", _]:
                yield f"clientid_prefixes {setup.root}"
            case ["password_file", _]:
                if not setup.client_certificates:
                    yield f"password_file {setup.install_dir}/{PASSWORDS}"
            case ["acl_file", _]:
                yield f"acl_file {setup.install_dir}/{ACL}"
            case _:
                yield line


def _by_certificate(setup: Setup) -> Iterator[str]:
    yield f"cafile {setup.install_dir}/{CLIENT_CA}"
    yield f"crlfile {setup.install_dir}/{REVOKED}"
    yield "require_certificate true"
    yield "use_identity_as_username true"
