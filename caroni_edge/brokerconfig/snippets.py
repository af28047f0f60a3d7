"""What a node's owner and a person are handed: names of their files, and the lines of a node's configuration."""

from caroni_edge.brokerconfig.bridges import Access
from caroni_edge.brokerconfig.roster import Login, Setup

CA = "ca.pem"
BRIDGE_DIR = "/etc/mosquitto/bridge"
NODE, BRIDGE = "broker.yaml", "caroni-bridge.conf"


def password_file(login: Login) -> str:
    """Return where a login's password lies."""
    return f"{login.folder}/{login.name}.password"


def certificate_files(login: Login) -> tuple[str, str]:
    """Return where a login's certificate and its key lie."""
    return f"{login.folder}/{login.name}.pem", f"{login.folder}/{login.name}.key"


def url(setup: Setup, *, people: bool = False) -> str:
    """Return the broker's address, for nodes or for people."""
    host = f"[{setup.hosts[0]}]" if ":" in setup.hosts[0] else setup.hosts[0]
    port = setup.people_port if people else setup.port
    return f"{'mqtts' if setup.tls else 'mqtt'}://{host}:{port}"


def node(setup: Setup, login: Login, *, has_ca: bool) -> str:
    """Return the lines of a node's configuration, for files that lie beside it."""
    lines = [
        f"# For {login.role}.yaml; relative paths begin at its directory, so put the files beside it.",
        f"id: {login.name}",
    ]
    if setup.root != "caroni":
        lines.append(f"topic_root: {setup.root}")
    lines += ["broker:", f"  url: {url(setup)}"]
    if setup.people_port != setup.port:
        lines.append(f"  data_url: {url(setup, people=True)}")
    lines.append(f"  username: {login.name}")
    if setup.client_certificates:
        lines += [f"  cert_file: {login.name}.pem", f"  key_file: {login.name}.key"]
    else:
        lines.append(f"  password_file: {login.name}.password")
    if has_ca:
        lines.append(f"  ca_file: {CA}")
    return "\n".join(lines) + "\n"


def bridge_access(setup: Setup, login: Login, password: str | None, *, has_ca: bool) -> Access:
    """Return how a bridge reaches this broker, from a host where mosquitto has its files in the usual place."""
    host = setup.hosts[0]
    certificate = (f"{BRIDGE_DIR}/{login.name}.pem", f"{BRIDGE_DIR}/{login.name}.key")
    return Access(
        address=f"{host}:{setup.port}",
        login=login.name,
        password=password,
        ca_file=f"{BRIDGE_DIR}/{CA}" if has_ca else None,
        certificate=certificate if setup.client_certificates else None,
    )


def submission(setup: Setup, login: Login, manager: str, *, has_ca: bool) -> str:
    """Return how a person starts a workflow, from the directory with their files."""
    words = ["caroni-edge submit TEMPLATE", f"--broker {url(setup, people=True)}", f"--manager {manager}"]
    if setup.root != "caroni":
        words.append(f"--topic-root {setup.root}")
    if setup.client_certificates:
        words.append(f"--cert-file {login.name}.pem --key-file {login.name}.key")
    else:
        words.append(f"--username {login.name} --password-file {login.name}.password")
    return " ".join([*words, f"--ca-file {CA}"] if has_ca else words)
