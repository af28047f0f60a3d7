"""The bundle for who helps: all that is needed, and no secret."""

import io
import json
import logging
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from caroni_edge.base import logs
from caroni_edge.config import Secret, load_manager
from caroni_edge.protocol.messages import JobAccepted
from caroni_edge.web import support
from caroni_edge.web.health import Examined
from tests.node_bench import ServedNode
from tests.web_bench import Client

log = logging.getLogger("caroni_edge.test_support")

SECRETS = {
    "broker": "pw-broker-1",
    "page": "pw-page-ü-2",
    "token": 'tok-3 "quoted"',
    "eve": "pw-eve-4",
    "query": "tok-query-5",
    "environment": "pw-environment-6",
    "beginning": "pw-broker-1-and-more",
    "payload": "payload-7",
    "made": "made-password-8",
}

LOGGED = [SECRETS[name] for name in ("page", "token", "eve", "environment", "beginning", "made")]
"""Those that the node knows, so that they are hidden wherever they stand."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    """Make a node with secrets wherever one can be."""
    (tmp_path / "token").write_text(SECRETS["token"])
    path = tmp_path / "node.yaml"
    path.write_text(
        "id: m1\n"
        f"state_dir: {tmp_path}\n"
        "broker:\n"
        f"  url: wss://there/mqtt?token={SECRETS['query']}\n"
        "  username: m1\n"
        f"  password: {SECRETS['broker']}\n"
        "web:\n"
        f"  port: 0\n"
        f"  password: {SECRETS['page']}\n"
        "  token_file: token\n"
        f"  users: {{eve: {{role: operator, password: {SECRETS['eve']}}}, "
        f"bob: {{role: viewer, password: {SECRETS['beginning']}}}}}\n"
    )
    config = load_manager(path, {"CARONI_EDGE_BROKER__PASSWORD": SECRETS["environment"]})
    (tmp_path / "web-password").write_text(SECRETS["made"])
    with closing(ServedNode(tmp_path, config)) as node:
        logs.setup("managers/m1", stream=io.StringIO())
        node.reactor.on[JobAccepted] = refuse
        node.send(JobAccepted(jobs=("job000001",)))
        for secret in LOGGED:
            log.error("somebody has logged %s", secret, extra={"action": "leak", "said": secret})
        yield node


def refuse(_message: object) -> None:
    raise LookupError(SECRETS["payload"])


def contents(packed: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = {entry.name.partition("/")[2]: archive.extractfile(entry) for entry in archive.getmembers()}
        return {name: file.read().decode() for name, file in found.items() if file}


def test_the_bundle_has_what_is_needed(node: ServedNode) -> None:
    with node.serve(node.config.web) as server, Client(server, SECRETS["token"]) as client:
        answer = client.get("/api/support")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="caroni-edge-support-manager-m1-2')
    files = contents(answer.content)
    assert files.keys() == {
        "node.json",
        "config.json",
        "doctor.json",
        "links.json",
        "dead_letters.json",
        "metrics.txt",
        "log.txt",
    }
    about = json.loads(files["node.json"])
    assert about["schema"].startswith("delivery/")
    assert "litestar" in about["packages"]
    assert "caroni_connected 1.0" in files["metrics.txt"]
    assert json.loads(files["links.json"])[0]["peer"] == "a1"
    (letter,) = json.loads(files["dead_letters.json"])
    assert (letter["type"], letter["error"]) == ("JobAccepted", "LookupError")
    assert any("dispatch.py" in frame for frame in letter["frames"])
    assert files["log.txt"].count("somebody has logged (hidden)") > 3


def test_no_secret_is_in_it(node: ServedNode) -> None:
    site = node.site()
    _, packed = support.bundle(site, Examined(0.0, ()), b"")
    files = contents(packed)
    text = files.pop("log.txt")
    assert not [name for name, secret in SECRETS.items() if secret in "".join(files.values())]
    assert text.count("somebody has logged") == len(LOGGED)
    assert not [secret for secret in LOGGED if secret in text or json.dumps(secret) in text]


def test_a_viewer_does_not_get_it(node: ServedNode) -> None:
    with node.serve(node.config.web) as server, Client(server, token=None) as viewer:
        assert viewer.post("/login", data={"username": "bob", "password": SECRETS["beginning"]}).status_code == 200
        assert viewer.get("/api/support").status_code == 403


def test_the_longer_secret_is_hidden_first() -> None:
    found = support.masked({"a": "secret secret-longer 1"}, [Secret("secret"), Secret("secret-longer"), Secret("1")])
    assert found == {"a": "(hidden) (hidden) 1"}


def test_secrets_without_a_page_are_those_of_the_broker(node: ServedNode) -> None:
    config = replace(node.config, web=None)
    assert [each.reveal() for each in support.secrets_of(config, node.site())] == [SECRETS["environment"]]
