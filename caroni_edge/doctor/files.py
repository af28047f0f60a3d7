"""What the broker does with the bytes of large files: who hears that it is asked, and whether a chunk comes back."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from caroni_edge.config import BrokerConfig
from caroni_edge.doctor.findings import Finding, ok, warning
from caroni_edge.doctor.probe import Gone, Probe
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import CHUNK_SIZES, Data, encode_data

NOT_MOVED = "large files neither come from other hosts nor go there"
ACL = "Let the node read and write below objects/, as config/mosquitto/acl.conf and broker-config do."


def check(broker: BrokerConfig, topics: Topics, *, logins_connect_once: bool) -> Iterator[Finding]:
    """Do as the connection for files does: hear what comes for the node, and send a chunk of each size to itself."""
    if logins_connect_once and not broker.data_urls:
        said = f"the broker lets each login connect once only, and files have a connection of their own: {NOT_MOVED}"
        yield warning(
            "files",
            said,
            "Set broker.data_url to where it lets a login connect more than once (mosquitto/caroni.conf: 8884).",
        )
        return
    there = replace(broker, urls=broker.data_urls or broker.urls)
    topic = topics.answer_to(topics.role, topics.node)
    passes = 0
    try:
        with Probe(there, f"{topics.data_client_id}/{secrets.token_hex(8)}", clean=True) as probe:
            probe.subscribe([(topics.asks, 0), (topics.answers, 0)])
            for size in CHUNK_SIZES:
                probe.publish(topic, encode_data(Data(0, 0, bytes(size))))
                if len(probe.hear(topic, CHUNK_SIZES.index(size) + 1)) <= CHUNK_SIZES.index(size):
                    break
                passes = size
            refused = ", ".join(sorted(probe.refused))
    except Gone as gone:
        if not passes:
            yield warning("files", f"the connection for files is not to be had, so {NOT_MOVED}: {gone}", ACL)
            return
        refused = ""
    yield of_chunks(passes, refused)


def of_chunks(passes: int, refused: str) -> Finding:
    """Judge what came back: chunks of so many bytes at most (0: none), while these topics were refused."""
    if refused:
        return warning("files", f"the broker does not let the node subscribe to {refused}: {NOT_MOVED}", ACL)
    if not passes:
        return warning("files", f"no chunk of {CHUNK_SIZES[0] // 1024} KiB comes back, so {NOT_MOVED}", ACL)
    return ok("files", f"large files can come and go, {passes // 1024} KiB at a time")
