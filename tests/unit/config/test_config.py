"""The configuration: what is right is read; what is wrong is said at once, with its place and never a secret."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from caroni_edge.config import (
    AgentConfig,
    ManagerConfig,
    Secret,
    load_agent,
    load_manager,
)
from caroni_edge.config.loading import DEPTH_MAX
from caroni_edge.documents.documents import Problems

LEAST = "id: m1\nbroker: {url: mqtt://broker.example}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "node.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


Write = Callable[..., Path]


def said(path: Path, environ: Mapping[str, str] = {}, load: Callable[..., object] = load_manager) -> list[str]:
    """Return the problems of a configuration as `line: what`, or with their variable."""
    with pytest.raises(Problems) as caught:
        load(path, environ)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_manager_with_defaults(write: Write) -> None:
    config = load_manager(write(LEAST), {})
    assert isinstance(config, ManagerConfig)
    assert (config.name, config.broker.url, config.broker.tls) == ("managers/m1", "mqtt://broker.example:1883", False)
    assert (config.state_dir, config.templates) == (
        Path("/var/lib/caroni-edge/manager"),
        Path("/etc/caroni-edge/templates"),
    )
    assert (config.attempts, config.retry_delay_s, config.stalled_after_s) == (5, 1, 60)
    assert (config.lost_after_s, config.retention_s, config.forget_after_s) == (86400, 90 * 86400, 90 * 86400)
    assert (config.topic_root, config.disk_floor_bytes) == ("caroni", 1 << 30)
    assert config.web is not None
    assert (config.web.host, config.web.port, config.web.username) == ("127.0.0.1", 8000, "admin")
    assert (config.web.password, config.web.token, config.web.users) == (None, None, {})
    assert (config.log.format, config.log.level) == ("console", "info")


def test_an_agent_with_defaults(write: Write) -> None:
    config = load_agent(write(LEAST.replace("m1", "a1")), {})
    assert isinstance(config, AgentConfig)
    cpus = len(os.sched_getaffinity(0))
    assert (config.slots, config.backlog, config.pending) == (cpus, 2 * cpus, 2 * cpus)
    assert (config.retention_s, config.retention_bytes) == (30 * 86400, 10 << 30)
    assert (config.name, config.state_dir) == ("agents/a1", Path("/var/lib/caroni-edge/agent"))
    assert config.web is not None
    assert config.web.port == 8001
    assert config.weight_of("anybody") == 1


def test_backlog_and_pending_follow_the_slots_unless_they_are_given(write: Write) -> None:
    config = load_agent(write(LEAST + "slots: 3\npending: 0"), {})
    assert (config.slots, config.backlog, config.pending) == (3, 6, 0)
    assert (config.backlog_most, config.pending_most) == (DEPTH_MAX, 0)
    auto = load_agent(write(LEAST + "slots: 3\npending: auto"), {})
    assert (auto.pending, auto.pending_most) == (6, DEPTH_MAX)


def test_who_may_send_work(write: Write) -> None:
    config = load_agent(write(LEAST + 'managers: {m1: {weight: 2.5}, m2: {}, "*": {weight: 1}}'), {})
    assert [config.weight_of(manager) for manager in ("m1", "m2", "m3")] == [2.5, 1, 1]
    only = load_agent(write(LEAST + "managers:\n  m1:\n"), {})
    assert [only.weight_of(manager) for manager in ("m1", "m2")] == [1, None]


def test_never(write: Write) -> None:
    text = "lost_after: never\nforget_after: never\nretention: {workflows: never}"
    config = load_manager(write(LEAST + text), {})
    assert (config.lost_after_s, config.forget_after_s, config.retention_s) == (None, None, None)
    agent = load_agent(write(LEAST + "retention: {jobs: never, size: never}"), {})
    assert (agent.retention_s, agent.retention_bytes) == (None, None)


def test_the_page_can_be_off(write: Write) -> None:
    assert load_manager(write(LEAST + "web: false"), {}).web is None
    assert load_manager(write(LEAST + "web: true"), {}).web == load_manager(write(LEAST), {}).web


def test_relative_paths_start_at_the_folder_of_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(LEAST + "templates: tmpl\nstate_dir: /srv/state")
    monkeypatch.chdir(path.parent)
    config = load_manager(Path(path.name), {"CARONI_EDGE_TEMPLATES": "other"})
    assert (config.templates, config.state_dir) == (path.parent / "other", Path("/srv/state"))


def test_everything_wrong_is_said_at_once(write: Write) -> None:
    path = write(
        "id: M1\nbrokr: {}\nbroker:\n  url: amqp://b\n  usrname: x\nattempts: '5'\nretry_delay: 10\n"
        "disk_floor: 1000\nslots: 2\nretention: 90d\nlog: {level: loud}\nstalled_after: 0s\ntemplates: [a]\n"
    )
    assert said(path) == [
        '1: id: "M1" is no name that a topic can hold: write 1 to 40 of a-z 0-9 _ -',
        '2: unknown key "brokr" (did you mean "broker"?)',
        '4: broker.url: "amqp://b" is no broker URL: write mqtt://HOST[:PORT] (mqtts://, with TLS, is served as well)',
        '5: unknown key "usrname" (did you mean "username"?)',
        '6: attempts: expected a whole number from 1 to 1000, got "5"',
        "7: retry_delay: 10 has no unit: write 10s, or another unit; it is a duration such as 10s, 5m or 90d",
        "8: disk_floor: 1000 has no unit: write 1000M, or another unit; it is a size such as 64K, 512M or 2G",
        '9: unknown key "slots" (did you mean "roots"?)',
        "10: expected keys and values below retention, got a text",
        '11: log.level: expected debug or info or warning or error, got "loud"',
        '12: stalled_after: "0s" is too short: it must be more than 0',
        "13: templates: expected a path, got a list",
    ]


@pytest.mark.parametrize("text", ["", "id:\nbroker:\n", "{}"])
def test_what_must_be_given(write: Write, text: str) -> None:
    problems = [problem.partition(": ")[2] for problem in said(write(text))]
    assert sorted(problems) == [
        '"broker.url" is missing: write url: mqtt://127.0.0.1:1883',
        '"id" is missing: write id: m1',
    ]


def test_a_configuration_is_a_map(write: Write) -> None:
    assert said(write("- id: m1")) == ["1: expected keys and values, such as id: m1"]


@pytest.mark.parametrize("name", ["", "a.b", "a b", "A", "ä", "x" * 41, "a/b", "+", '"m1\\n"'])
def test_ids_that_a_topic_cannot_hold(write: Write, name: str) -> None:
    (problem,) = said(write(f"id: {name if name.startswith(chr(34)) else repr(name)}\nbroker: {{url: mqtt://b}}"))
    assert problem.startswith("1: id: ")
    assert "a-z 0-9 _ -" in problem


def test_a_number_as_a_name_asks_for_quotes(write: Write) -> None:
    assert "put it in quotes" in said(write("id: 7\nbroker: {url: mqtt://b}"))[0]
    assert load_manager(write("id: '7'\nbroker: {url: mqtt://b}"), {}).id == "7"


class TestSecrets:
    def test_from_the_file(self, write: Write) -> None:
        config = load_manager(write("id: m1\nbroker: {url: mqtt://b, username: m1, password: hunter2}"), {})
        assert config.broker.password == Secret("hunter2")
        assert "hunter2" not in f"{config!r} {config} {config.broker.password!s}"

    def test_from_a_file_of_their_own(self, write: Write) -> None:
        write("hunter2\n", "m1.pw")
        config = load_manager(write("id: m1\nbroker: {url: mqtt://b, username: m1, password_file: m1.pw}"), {})
        assert config.broker.password is not None
        assert config.broker.password.reveal() == "hunter2"

    def test_a_credential_of_the_service_comes_first(self, write: Write, tmp_path: Path) -> None:
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        write("from the folder", "m1.pw")
        path = write("id: m1\nbroker: {url: mqtt://b, username: m1, password_file: m1.pw}")
        environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
        assert load_manager(path, environ).broker.password == Secret("from the folder")
        (credentials / "m1.pw").write_text("from systemd")
        assert load_manager(path, environ).broker.password == Secret("from systemd")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b"a\nb\n", "has several lines"),
            (b"\xff", "is not UTF-8"),
            (b"x" * 5000, "is too large for a secret: at most 4096 bytes"),
        ],
    )
    def test_files_that_hold_none(self, write: Write, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "pw").write_bytes(content)
        (problem,) = said(write("id: m1\nbroker: {url: mqtt://b, username: m1}\nweb: {password_file: pw}"))
        assert problem.startswith(f"3: web.password_file: {tmp_path / 'pw'} ")
        assert words in problem

    def test_a_file_that_cannot_be_read(self, write: Write, tmp_path: Path) -> None:
        path = write(LEAST + "web:\n  token_file: none\n")
        assert said(path) == [f"4: web.token_file: cannot read {tmp_path}/none: No such file or directory"]
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        assert said(path, environ)[0].endswith("No such file or directory (nor is it in $CREDENTIALS_DIRECTORY)")

    def test_both_forms_are_too_many(self, write: Write) -> None:
        write("hunter2", "pw")
        path = write("id: m1\nbroker:\n  url: mqtt://b\n  username: m1\n  password: hunter3\n  password_file: pw\n")
        assert said(path) == ["6: both password and password_file are given: leave one out"]

    @pytest.mark.parametrize("value", ["12345", "[hunter2]", "''", "true"])
    def test_a_wrong_one_is_not_shown(self, write: Write, value: str) -> None:
        (problem,) = said(write(f"{LEAST}web:\n  password: {value}\n"))
        assert problem.startswith("4: web.password: ")
        assert "12345" not in problem
        assert "hunter2" not in problem

    def test_a_password_needs_a_username(self, write: Write) -> None:
        path = write("id: m1\nbroker:\n  url: mqtt://b\n  password: hunter2\n")
        assert said(path) == ["4: broker.password needs broker.username beside it"]


def test_a_ca_file_must_be_there_and_be_of_use(write: Write, tmp_path: Path) -> None:
    assert said(write("id: m1\nbroker: {url: mqtts://b, ca_file: ca.pem}")) == [
        f"2: broker.ca_file: cannot read {tmp_path}/ca.pem: No such file or directory"
    ]
    write("", "ca.pem")
    assert load_manager(write("id: m1\nbroker: {url: mqtts://b, ca_file: ca.pem}"), {}).broker.ca_file
    found = load_manager(write("id: m1\nbroker:\n  url: [mqtt://a, wss://b]\n  cert_file: ca.pem"), {}).broker
    assert (found.url, found.tls) == ("mqtt://a:1883, wss://b:443/mqtt", True)
    assert said(write("id: m1\nbroker: {url: mqtts://b, key_file: ca.pem}")) == [
        "2: broker.key_file needs broker.cert_file beside it"
    ]
    assert said(write("id: m1\nbroker: {url: []}")) == ["2: broker.url: the list is empty: write mqtt://HOST[:PORT]"]
    assert "write url: mqtts://" in said(write("id: m1\nbroker: {url: mqtt://b, ca_file: ca.pem}"))[0]


def test_more_people(write: Write) -> None:
    write("pw", "eve.pw")
    text = "web: {users: {eve: {role: viewer, password_file: eve.pw}, Bob@x: {role: operator, password: p}}}"
    config = load_manager(write(LEAST + text), {})
    assert config.web is not None
    assert {name: (user.role, user.password.reveal()) for name, user in config.web.users.items()} == {
        "eve": ("viewer", "pw"),
        "Bob@x": ("operator", "p"),
    }


def test_people_that_do_not_work(write: Write) -> None:
    path = write(
        LEAST
        + "web:\n  users:\n    eve: {role: boss, password: p}\n    bob: {role: viewer}\n    tim: {password: p}\n"
        + "    admin: {role: viewer, password: p}\n    a b: {role: viewer, password: p}\n    kim: p\n"
    )
    assert said(path) == [
        '5: web.users.eve.role: expected viewer or operator, got "boss"',
        "6: web.users.bob has no password: write password_file: FILE",
        '7: "web.users.tim.role" is missing: write role: viewer',
        "8: admin is web.username already",
        '9: "a b" is no user name: write 1 to 64 of A-Z a-z 0-9 . _ @ -',
        "10: expected keys and values below web.users.kim, got a text",
        "10: web.users.kim has no password: write password_file: FILE",
    ]


def test_a_page_with_its_own_certificate_behind_proxies(write: Write, tmp_path: Path) -> None:
    write("a certificate", "page.pem")
    text = "web: {cert_file: page.pem, trusted_proxies: [127.0.0.1, 10.0.0.0/8, 'fd00::/8']}"
    web = load_manager(write(LEAST + text), {}).web
    assert web is not None
    assert (web.cert_file, web.key_file) == (tmp_path / "page.pem", None)
    assert [str(each) for each in web.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]
    assert web.edit is True


def test_proxies_and_certificates_that_do_not_work(write: Write) -> None:
    write("a key", "page.key")
    path = write(LEAST + "web:\n  key_file: page.key\n  trusted_proxies: [10.0.0.1/8]\n  edit: maybe\n")
    assert said(path) == [
        "4: web.key_file needs web.cert_file beside it",
        "5: web.trusted_proxies: 10.0.0.1/8 has host bits set: write an IP address or a network, such as 10.0.0.0/8",
        '6: web.edit: expected true or false, got "maybe"',
    ]
    path = write(LEAST + "web: {trusted_proxies: localhost}\n")
    assert said(path) == [
        '3: web.trusted_proxies: expected a list of addresses, such as [127.0.0.1, 10.0.0.0/8], got "localhost"'
    ]


def test_managers_that_do_not_work(write: Write) -> None:
    path = write(LEAST + "managers:\n  M1: {}\n  m2: {weight: 0}\n  m3: 2\n  m4: {wait: 1}\n")
    assert said(path, load=load_agent) == [
        '4: "M1" is no name that a topic can hold: write 1 to 40 of a-z 0-9 _ -',
        "5: managers.m2.weight: expected a number above 0, to 1000000, got 0",
        "6: expected keys and values below managers.m3, got 2",
        '7: unknown key "wait" (did you mean "weight"?)',
    ]


class TestEnvironment:
    def test_comes_before_the_file(self, write: Write) -> None:
        environ = {
            "CARONI_EDGE_BROKER__URL": "mqtts://other:9",
            "CARONI_EDGE_ATTEMPTS": "7",
            "CARONI_EDGE_RETRY_DELAY": "3s",
            "CARONI_EDGE_WEB__PORT": "0",
            "CARONI_EDGE_TOPIC_ROOT": "",
            "CARONI_EDGE_RETENTION__WORKFLOWS": "never",
            "HOME": "/root",
        }
        config = load_manager(write(LEAST + "attempts: 2"), environ)
        assert (config.broker.url, config.attempts, config.retry_delay_s) == ("mqtts://other:9", 7, 3)
        assert config.web is not None
        assert (config.web.port, config.topic_root, config.retention_s) == (0, "caroni", None)

    def test_gives_what_must_be_given(self, write: Write) -> None:
        config = load_manager(write(""), {"CARONI_EDGE_ID": "7", "CARONI_EDGE_BROKER__URL": "mqtt://b"})
        assert (config.id, config.broker.urls[0].host) == ("7", "b")

    def test_gives_whole_sections_and_names(self, write: Write) -> None:
        environ = {"CARONI_EDGE_MANAGERS": '{m1: {weight: 2}, "*": {}}', "CARONI_EDGE_MANAGERS__M2__WEIGHT": "3"}
        assert load_agent(write(LEAST), environ).managers == {"m1": 2, "*": 1, "m2": 3}
        assert load_agent(write(LEAST), {"CARONI_EDGE_WEB": "false"}).web is None

    def test_does_not_reach_into_what_an_alias_shares(self, write: Write) -> None:
        path = write(LEAST + "managers: {m1: &w {weight: 1}, m2: *w}")
        assert load_agent(path, {"CARONI_EDGE_MANAGERS__M1__WEIGHT": "5"}).managers == {"m1": 5, "m2": 1}

    def test_a_secret_replaces_either_form(self, write: Write) -> None:
        path = write("id: m1\nbroker: {url: mqtt://b, username: m1, password_file: gone}")
        environ = {"CARONI_EDGE_BROKER__PASSWORD": "hunter2"}
        assert load_manager(path, environ).broker.password == Secret("hunter2")
        write("hunter3", "pw")
        path = write("id: m1\nbroker: {url: mqtt://b, username: m1, password: hunter4}")
        environ = {"CARONI_EDGE_BROKER__PASSWORD_FILE": "pw"}
        assert load_manager(path, environ).broker.password == Secret("hunter3")
        both = environ | {"CARONI_EDGE_BROKER__PASSWORD": "hunter2"}
        assert said(path, both) == [
            "environment CARONI_EDGE_BROKER__PASSWORD_FILE: both password and password_file are given: leave one out"
        ]

    def test_what_is_wrong_names_the_variable(self, write: Write) -> None:
        environ = {
            "CARONI_EDGE_ATTEMPTS": "many",
            "CARONI_EDGE_LOST_AFTER": "10",
            "CARONI_EDGE_BROKER__URL": "mqtt://m1:hunter2@b",
            "CARONI_EDGE_BROKER": "{",
            "CARONI_EDGE_RETENTION": "x",
        }
        problems = said(write(LEAST), environ)
        assert [problem.partition(": ")[0] for problem in problems] == [
            f"environment {name}" for name in sorted(environ)
        ]
        assert "hunter2" not in "".join(problems)

    def test_unknown_variables_get_the_nearest_name(self, write: Write) -> None:
        environ = {"CARONI_EDGE_BROKER_URL": "mqtt://b", "CARONI_EDGE_ID__X": "1", "CARONI_EDGE_": "1"}
        assert said(write(LEAST), environ)[1] == (
            'environment CARONI_EDGE_BROKER_URL: there is no such key (did you mean "CARONI_EDGE_BROKER__URL"?)'
        )
        assert len(said(write(LEAST), environ)) == 3

    def test_what_is_not_meant_for_this_node_is_left_alone(self, write: Write) -> None:
        environ = {
            "CARONI_EDGE_SLOTS": "none",
            "CARONI_EDGE_MANAGER_SERVICE_HOST": "10.0.0.1",
            "CARONI_EDGE_MANAGER_PORT": "tcp://10.0.0.1:8000",
            "CARONI_EDGE_MANAGER_PORT_8000_TCP_ADDR": "10.0.0.1",
        }
        assert load_manager(write(LEAST), environ) == load_manager(write(LEAST), {})


def test_replies_may_be_let_go_elsewhere(write: Write) -> None:
    assert load_manager(write(LEAST), {}).reply_to == ()
    path = write(f"{LEAST}reply_to: [answers/#, a/+/b, plain]\n")
    assert load_manager(path, {}).reply_to == ("answers/#", "a/+/b", "plain")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("answers/#", "expected a list of topic filters"),
        ("[]", "expected a list of topic filters"),
        ("['#']", "must begin with a plain name"),
        ("[+/x]", "must begin with a plain name"),
        ("[caroni.agents/x]", "must begin with a plain name"),
        ("['a/#/b']", "is no topic filter"),
        ("[a/b+]", "is no topic filter"),
        ("[caroni/agents/+]", "caroni/agents/+ lies below caroni"),
        ("[7]", "expected a topic filter"),
    ],
)
def test_replies_go_nowhere_where_nodes_talk(write: Write, value: str, words: str) -> None:
    (problem,) = said(write(f"{LEAST}reply_to: {value}\n"))
    assert words in problem


@pytest.mark.parametrize("value", ["22:00", "22-06", "[22:00-06:00]", "24:00-06:00", "'22:00-06:00 '"])
@pytest.mark.parametrize("load", [load_manager, load_agent])
def test_hours_that_are_none_are_refused_in_words(write: Write, load: Callable[..., object], value: str) -> None:
    (problem,) = said(write(f"{LEAST}files: {{when: {value}}}\n"), load=load)
    assert "files.when: " in problem
    assert "22:00-06:00" in problem


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"bucket": {"url": "s3://lab"}}, "files.bucket is of no use where files.depot is not true"),
        ({"depot": True, "bucket": {"endpoint": "https://minio"}}, "files.bucket.endpoint needs files.bucket.url"),
        (
            {"depot": True, "bucket": {"url": "s3://lab", "key_id": "d1"}},
            "files.bucket.key_id and its key_file go toge",
        ),
        (
            {"depot": True, "bucket": {"url": "s3://lab", "key": "x"}},
            "files.bucket.key_id and its key_file go together",
        ),
        ({"depot": True, "bucket": {"url": "https://lab/d1"}}, "expected s3://BUCKET or s3://BUCKET/PREFIX"),
        ({"depot": True, "bucket": {"url": "s3://lab/../d1/"}}, "expected s3://BUCKET or s3://BUCKET/PREFIX"),
        ({"depot": True, "bucket": {"url": "s3://lab", "endpoint": "minio:9000"}}, r"expected https://HOST\[:PORT\]"),
    ],
)
def test_a_bucket_that_makes_no_sense_is_refused(tmp_path: Path, files: dict[str, object], said: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(json.dumps({"id": "d1", "broker": {"url": "mqtt://broker"}, "files": files}))
    with pytest.raises(Problems, match=said):
        load_agent(path, {})
