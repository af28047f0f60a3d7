"""What is to be done with the files, for people: where each goes, and what a node's configuration says."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from caroni_edge.brokerconfig import mosquitto, rabbitmq, snippets
from caroni_edge.brokerconfig.roster import Login, Roster


def next_steps(roster: Roster, directory: Path) -> Iterator[str]:
    """Yield lines that say what comes next."""
    setup = roster.setup
    here = shlex.quote(str(directory))
    yield ""
    yield "On the broker's host, as root:"
    yield f"  cp -r {here}/broker/. {shlex.quote(setup.install_dir)}/"
    names = " ".join(shlex.quote(f"{setup.install_dir}/{name}") for name in _of_broker(roster))
    yield f"  chown -R {setup.broker}: {names}"
    if setup.broker == "rabbitmq":
        yield "  rabbitmq-plugins enable rabbitmq_mqtt"
        yield "  systemctl restart rabbitmq-server     (who was removed: rabbitmqctl delete_user NAME)"
    else:
        yield "  systemctl restart mosquitto           (reload is enough for more or other logins)"
    nodes = [login for login in roster.logins.values() if login.is_node]
    if nodes:
        yield from _for_nodes(nodes[0], directory)
    people = [login for login in roster.logins.values() if login.role == "person"]
    if people and roster.named("manager"):
        has_ca = (directory / people[0].folder / snippets.CA).exists()
        yield ""
        yield f"People get what lies in {here}/people/NAME, each their own, and say there:"
        yield f"  {snippets.submission(setup, people[0], roster.named('manager')[0], has_ca=has_ca)}"
    if aboard := roster.named("bridge"):
        yield ""
        yield f"{here}/bridges/{aboard[0]} belongs on the host of that broker, as {snippets.BRIDGE_DIR}, and its"
        yield f"{snippets.BRIDGE} in {setup.install_dir}/conf.d there; docs/scaling.md says more."
    yield ""
    yield f"Keep {here} where nobody else reads it: it has all keys and passwords, and more are added there."
    if not setup.tls:
        yield "Without --tls passwords and all that is said can be read on the way: for a network of your own alone."


def _of_broker(roster: Roster) -> Iterator[str]:
    if roster.setup.broker == "rabbitmq":
        yield from (rabbitmq.CONFIG, rabbitmq.DEFINITIONS)
    else:
        yield from (mosquitto.CONFIG, mosquitto.ACL)
        if not roster.setup.client_certificates:
            yield mosquitto.PASSWORDS
    if roster.setup.tls:
        yield "certs"


def _for_nodes(example: Login, directory: Path) -> Iterator[str]:
    yield ""
    yield "On each node: what lies in its own directory goes beside its manager.yaml or agent.yaml, for the node's user"
    yield f"alone to read. {snippets.NODE} there has the lines for that file; those of {example.name}:"
    for line in (directory / example.folder / snippets.NODE).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield f"  {line}"
