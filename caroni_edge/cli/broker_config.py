"""`caroni-edge broker-config`: configuration, logins and certificates of a broker."""

import socket
from pathlib import Path
from typing import Any

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say

INSTALL_DIRS = {"mosquitto": "/etc/mosquitto", "rabbitmq": "/etc/rabbitmq"}
PORTS = {True: (8883, 8884), False: (1883, 1884)}
SHOWN_MAX = 8


@click.command(
    epilog="Example: caroni-edge broker-config mosquitto --manager m1 --agent a1..a50 --person alice --person bob "
    "--host broker.example --tls --out broker"
)
@click.argument("broker", type=click.Choice(list(INSTALL_DIRS)))
@click.option("--manager", "managers", multiple=True, metavar="ID", help="A manager; m1..m3 are three.")
@click.option("--agent", "agents", multiple=True, metavar="ID", help="An agent; a1..a50 are fifty.")
@click.option("--person", "people", multiple=True, metavar="NAME", help="Who starts workflows and follows them.")
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where all of it is written."
)
@click.option("--host", "hosts", multiple=True, help="Name or address of the broker; the first one is given to nodes.")
@click.option("--tls", is_flag=True, help="Encrypted, with a small certificate authority made for this.")
@click.option("--client-certificates", is_flag=True, help="Certificates in place of passwords (mosquitto).")
@click.option("--ca-cert", type=FILE, help="An authority of your own; with --ca-key it issues what is needed.")
@click.option("--ca-key", type=FILE, help="Its key, which is not copied.")
@click.option("--server-cert", type=FILE, help="A certificate that the broker has already.")
@click.option("--server-key", type=FILE, help="Its key; both are copied to the broker's files.")
@click.option("--renew", is_flag=True, help="Make a new certificate for the broker.")
@click.option("--rotate", multiple=True, metavar="NAME", help="Give this login a new password or certificate.")
@click.option("--remove", multiple=True, metavar="NAME", help="Take this login away.")
@click.option(
    "--bridge-manager",
    nargs=2,
    multiple=True,
    metavar="BRIDGE ID",
    help="A manager at another broker, behind a bridge.",
)
@click.option("--bridge-agent", nargs=2, multiple=True, metavar="BRIDGE ID", help="An agent there; a1..a5 are five.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    nargs=3,
    metavar="NAME read|write FILTER",
    help="A topic beside the usual ones.",
)
@click.option(
    "--config",
    "configs",
    multiple=True,
    type=FILE,
    help="manager.yaml of a manager: it may hear what its triggers listen to, and say what it is to say elsewhere.",
)
@click.option("--topic-root", metavar="ROOT", help="First level of all topics.  [default: caroni]")
@click.option("--port", type=click.IntRange(1, 65535), help="For nodes.  [default: 8883 with TLS, else 1883]")
@click.option("--people-port", type=click.IntRange(1, 65535), help="For people.  [default: 8884 with TLS, else 1884]")
@click.option("--install-dir", metavar="DIR", help="Where the broker has its files.  [default: /etc/mosquitto, …]")
def broker_config(**options: Any) -> None:
    """Write configuration, ACL, passwords and certificates of a broker for these nodes and people.

    Say it again with more of them, and they are added: passwords, authority and certificates that are there stay.
    """
    from caroni_edge.brokerconfig import folder, steps  # noqa: PLC0415
    from caroni_edge.brokerconfig.keys import Given  # noqa: PLC0415
    from caroni_edge.brokerconfig.roster import Roster, asking, bridges_in, enlarged, names_in, read_roster  # noqa: PLC0415
    from caroni_edge.config import load_manager  # noqa: PLC0415

    out = options["out"].absolute()
    roles = (("managers", "manager"), ("agents", "agent"), ("people", "person"))
    wanted = [login for option, role in roles for login in names_in(options[option], role)]  # type: ignore[arg-type]
    configs = [(path, load_manager(path, {})) for path in options["configs"]]
    named = {login.name for login in wanted}
    wanted += names_in(dict.fromkeys(config.id for _, config in configs if config.id not in named), "manager")
    bridges = bridges_in(options["bridge_manager"], options["bridge_agent"])
    if bridges and options["broker"] != "mosquitto":
        raise UsageError("--bridge-agent", "bridges are written for mosquitto alone", "docs/scaling.md has other ways.")
    given = Given(
        options["ca_cert"], options["ca_key"], options["server_cert"], options["server_key"], options["renew"]
    )
    there = read_roster(out)
    roster = Roster(setup=_first_setup(options)) if there is None else there
    if there is not None:
        roster = _same_setup(options, there)
    roster = asking(enlarged(roster, [*wanted, *bridges], _extras(options["allowed"])), configs)
    if not roster.logins:
        raise UsageError("", "nobody is to log in", "Name them: --manager m1 --agent a1 --person alice.")
    with folder.opened(out, there):
        report = folder.bring(out, roster, given, rotate=options["rotate"], remove=options["remove"])
    roster = read_roster(out) or roster
    _say_done(report, out)
    for line in steps.next_steps(roster, out):
        say(line)


def _first_setup(options: dict[str, Any]) -> Any:
    from caroni_edge.brokerconfig.roster import Setup  # noqa: PLC0415
    from caroni_edge.protocol.fields import is_segment  # noqa: PLC0415

    broker, tls = options["broker"], options["tls"]
    if options["client_certificates"] and not (tls and broker == "mosquitto"):
        what = "it is served for mosquitto, and with --tls alone"
        raise UsageError("--client-certificates", what, "docs/brokers.md says what RabbitMQ can do by itself.")
    root = options["topic_root"] or "caroni"
    if not is_segment(root):
        raise UsageError("--topic-root", f'"{root}" is no name', "1 to 40 of a-z 0-9 _ - make one.")
    for host in options["hosts"]:
        _check_host(host)
    port, people_port = PORTS[tls]
    port = options["port"] or port
    people_port = port if broker == "rabbitmq" else options["people_port"] or people_port
    if broker == "rabbitmq" and options["people_port"] not in {None, port}:
        raise UsageError("--people-port", "RabbitMQ has one port for nodes and people", "Leave it out.")
    if broker == "mosquitto" and port == people_port:
        raise UsageError("--people-port", "nodes and people need ports of their own")
    return Setup(
        broker=broker,
        root=root,
        hosts=options["hosts"] or (socket.gethostname(),),
        tls=tls,
        client_certificates=options["client_certificates"],
        port=port,
        people_port=people_port,
        install_dir=_install_dir(options["install_dir"] or INSTALL_DIRS[broker]),
    )


def _install_dir(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or " " in text:
        raise UsageError("--install-dir", f'"{text}" is no absolute path without spaces')
    return text.rstrip("/")


def _check_host(host: str) -> None:
    if not host or not host.isascii() or not all(char.isalnum() or char in ".-:" for char in host):
        raise UsageError(
            "--host", f'"{host}" is no name and no address of a host', "As in broker.example or 192.0.2.7."
        )


def _same_setup(options: dict[str, Any], roster: Any) -> Any:
    """Return the roster of a directory that was made for what is asked now: nothing changes silently."""
    import msgspec  # noqa: PLC0415

    setup = roster.setup
    if options["renew"] and options["hosts"]:
        for host in options["hosts"]:
            _check_host(host)
        setup = msgspec.structs.replace(setup, hosts=options["hosts"])
    said = {
        "broker": options["broker"],
        "tls": options["tls"] or None,
        "client_certificates": options["client_certificates"] or None,
        "root": options["topic_root"],
        "hosts": options["hosts"] or None,
        "port": options["port"],
        "people_port": options["people_port"],
        "install_dir": options["install_dir"] and _install_dir(options["install_dir"]),
    }
    for name, value in said.items():
        if value is not None and value != getattr(setup, name):
            what = (
                f"this directory was made with {name.replace('_', ' ')} {_shown(getattr(setup, name))}, and keeps that"
            )
            raise UsageError(str(options["out"]), what, "Make the files anew in another directory.")
    return msgspec.structs.replace(roster, setup=setup)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _extras(allowed: tuple[tuple[str, str, str], ...]) -> list[Any]:
    from caroni_edge.brokerconfig.roster import Extra  # noqa: PLC0415
    from caroni_edge.transport.base import check_filter  # noqa: PLC0415

    extras = []
    for name, access, topic in allowed:
        where = f"--allow {name} {access} {topic}"
        if access not in {"read", "write", "readwrite"}:
            raise UsageError(where, f'"{access}" is no right', "It is read, write or readwrite.")
        try:
            check_filter(topic)
        except ValueError as error:
            raise UsageError(where, str(error)) from None
        if not topic.isprintable() or topic != topic.strip() or topic.startswith("$"):
            raise UsageError(where, "this is no topic filter for a login")
        extras.append(Extra(name, access, topic))  # type: ignore[arg-type]
    return extras


def _say_done(report: Any, out: Path) -> None:
    for what, names in (("made for", report.made), ("kept for", report.kept), ("taken away from", report.removed)):
        if names:
            say(f"{what} {_some(names)}")
    for name in report.written:
        say(f"wrote {out / name}")
    if report.ending:
        say(f"certificates that end within 90 days: {_some(report.ending)} (--rotate NAME; --renew for the broker)")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN_MAX])
    return f"{shown} and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else shown
