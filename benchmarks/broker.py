"""What one mosquitto takes: memory and processor time for each session, and processor time for each message.

A mosquitto on what `broker-config` writes (logins, ACL, no TLS) gets a session for each agent, with the subscriptions
of one; then a manager sends frames of 1 KB to one of them, with QoS 1. Processor time is the broker's own, as the
kernel counts it: so other work on the machine does not show. mosquitto does all in one thread, so a second of it is a
second of the clock when the broker is busy.

    python -m benchmarks.broker [--agents 1000] [--frames 20000]
"""

import argparse
import os
import socket
import tempfile
from pathlib import Path

from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import Published
from tests.brokers import Client
from tests.made_brokers import MadeMosquitto
from tests.support import wait_until

JOB_TYPES = 5
FRAME = b"x" * 1000
AT_ONCE = 50


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        broker = MadeMosquitto(Path(name), "--manager", "m1", "--agent", f"a1..a{options.agents}")
        broker.start()
        try:
            measure_sessions(broker, options.agents)
            measure_frames(broker, options.frames)
        finally:
            broker.kill()


def measure_sessions(broker: MadeMosquitto, count: int) -> None:
    """Open sessions as agents do, one after the other."""
    memory, used_s = resident_bytes(broker.pid), processor_s(broker.pid)
    opened = [session(broker, f"a{number}") for number in range(2, count + 1)]
    each = (processor_s(broker.pid) - used_s) / len(opened)
    kib = (resident_bytes(broker.pid) - memory) / len(opened) / 1024
    print(f"{len(opened)} sessions of agents: {kib:.1f} KiB and {1000 * each:.2f} ms of processor time each")
    for sock in opened:
        sock.close()


def measure_frames(broker: MadeMosquitto, count: int) -> None:
    """Send frames from a manager to an agent, so many at once as nodes do."""
    agent = Client.of(broker, "caroni-agents-a1", **broker.made.login("a1"))
    manager = Client.of(broker, "caroni-managers-m1", **broker.made.login("m1"))
    for client in (agent, manager):
        client.connect()
    own = Topics("caroni", "agents", "a1")
    agent.transport.subscribe([(own.inboxes, 1)])
    agent.publish(own.presence, b"")  # its PUBACK comes behind the SUBACK
    topic = Topics("caroni", "managers", "m1").inbox_of("a1")
    manager.events.clear()
    agent.events.clear()
    used_s = processor_s(broker.pid)
    for _ in range(count // AT_ONCE):
        for _ in range(AT_ONCE):
            manager.transport.publish(topic, FRAME, qos=1)
        wait_until(lambda: len(agent.arrived(topic)) == AT_ONCE, every_s=0.0005)
        for message in agent.arrived(topic):
            agent.transport.ack(message)
        agent.events.clear()
        wait_until(lambda: len(manager.find(Published)) == AT_ONCE, every_s=0.0005)
        manager.events.clear()
    each = (processor_s(broker.pid) - used_s) / count
    print(f"{count} frames of 1 KB through it: {1e6 * each:.0f} µs of processor time each, so {1 / each:,.0f} a second")
    for client in (agent, manager):
        client.stop()


def session(broker: MadeMosquitto, login: str) -> socket.socket:
    """Open a session with the subscriptions of an agent; MQTT 3.1.1, said by hand."""
    topics = Topics("caroni", "agents", login)
    password = str(broker.made.login(login)["password"])
    sock = socket.create_connection((broker.host, broker.port))
    words = (topics.client_id, login, password)
    sock.sendall(packet(0x10, text("MQTT") + bytes([4, 0xC0]) + (60).to_bytes(2) + b"".join(map(text, words))))
    filters = [topics.inboxes, topics.presence_of_peers, *(topics.requests_for(f"type{n}") for n in range(JOB_TYPES))]
    sock.sendall(packet(0x82, (1).to_bytes(2) + b"".join(text(each) + b"\x01" for each in filters)))
    expected = 4 + 4 + len(filters)
    while expected > 0:
        heard = sock.recv(expected)
        assert heard, "the broker has closed the connection"
        expected -= len(heard)
    return sock


def packet(kind: int, body: bytes) -> bytes:
    """Return a control packet [MQTT-2.2]."""
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (0x80 if left else 0)])
        if not left:
            return bytes([kind]) + length + body


def text(words: str) -> bytes:
    """Return a UTF-8 string as MQTT has it."""
    return len(words.encode()).to_bytes(2) + words.encode()


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_s(pid: int) -> float:
    """Return how much processor time a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
