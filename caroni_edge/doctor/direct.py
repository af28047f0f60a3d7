"""Whether other nodes reach this one where it says that they may fetch files from it."""

from collections.abc import Iterator
from http import HTTPStatus

from caroni_edge.base.hosts import Host
from caroni_edge.config import NodeConfig
from caroni_edge.doctor.findings import Finding, ok, warning
from caroni_edge.node.httpget import NotGot, Trust, get
from caroni_edge.objects.transfer.ways import object_at
from caroni_edge.values.remote import direct_address

NO_OBJECT = "0" * 64
HINT = (
    "The node must run, with web.host and web.cert_file for that name (or behind a proxy); files.ca_file names the "
    "certificates to trust. Until then files leave over the broker."
)


def check(config: NodeConfig) -> Iterator[Finding]:
    """Ask there for a file without a ticket, as a stranger: the node must refuse it."""
    address = direct_address(config.files.url or "")
    if address is None:
        return
    trust = Trust((Host(address.host, address.port),), config.files.ca_file)
    try:
        get(object_at(address, NO_OBJECT), trust).close()
    except NotGot as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            said = f"{config.files.url} answers: who lists it in files.hosts gets files straight from here"
            yield ok("direct", said)
            return
        yield warning("direct", f"nobody gets files at {config.files.url}: {problem}", HINT)
    else:
        yield warning("direct", f"something else than this node answers at {config.files.url}", HINT)
