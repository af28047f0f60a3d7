from pathlib import Path

import pytest

from caroni_edge.agent.jobtypes import JobType, parse_job_type
from caroni_edge.agent.secrets import SECRET_MAX_BYTES, NoSecret, Source, files_of, reveal, unreadable
from caroni_edge.documents.documents import Problems

VALUE = "sk-never-shown"


def job_type(secrets: str) -> JobType:
    return parse_job_type(f"name: call\nscript: curl\nsecrets: {secrets}\n", Path("/etc/types/call.yaml"))


def test_a_job_type_says_where_its_secrets_are() -> None:
    found = job_type("{API_KEY: {file: api.key}, DB: {credential: db}, X: {file: /srv/x}}").secrets
    assert found == {
        "API_KEY": Source(file="/etc/types/api.key"),
        "DB": Source(credential="db"),
        "X": Source(file="/srv/x"),
    }
    assert files_of(found) == [Path("/etc/types/api.key"), Path("/srv/x")]


def test_other_secrets_make_another_version() -> None:
    versions = {job_type(each).version for each in ("{}", "{A: {file: a}}", "{A: {file: b}}", "{A: {credential: a}}")}
    assert len(versions) == 4


@pytest.mark.parametrize(
    "secrets",
    [
        f"{{API_KEY: {VALUE}}}",
        f"{{API_KEY: {{value: {VALUE}}}}}",
        f"{{API_KEY: {{file: a, credential: {VALUE}}}}}",
        f"{{API_KEY: {{credential: ../{VALUE}}}}}",
        f"{{API_KEY: [{VALUE}]}}",
        f"{{1st: {{file: {VALUE}}}}}",
        f"[{VALUE}]",
        f"{VALUE}",
        "{A: {file: ''}}",
        "{" + ", ".join(f"A{number}: {{file: a}}" for number in range(33)) + "}",
    ],
)
def test_what_is_wrong_is_told_without_what_might_be_a_secret(secrets: str) -> None:
    with pytest.raises(Problems) as raised:
        job_type(secrets)
    assert VALUE not in str(raised.value)


def test_secrets_are_read_as_they_are_now(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one\ntwo\n")
    (tmp_path / "db").write_text("three\r\n")
    secrets = {"KEY": Source(file=str(tmp_path / "key")), "DB": Source(credential="db")}
    assert reveal(secrets, str(tmp_path)) == {"CARONI_SECRET_KEY": "one\ntwo", "CARONI_SECRET_DB": "three"}
    assert unreadable(secrets, str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "cannot be read: {path}: No such file or directory"),
        (b"\n", "{path} is empty"),
        (b"a\0b", "{path} holds a NUL character"),
        (b"\xff\xfe", "{path} is not UTF-8"),
        (b"x" * (SECRET_MAX_BYTES + 1), "{path} has more than 16 KiB"),
    ],
)
def test_what_is_no_secret_is_said_and_never_shown(tmp_path: Path, data: bytes | None, why: str) -> None:
    path = tmp_path / "key"
    if data is not None:
        path.write_bytes(data)
    secrets = {"KEY": Source(file=str(path))}
    with pytest.raises(NoSecret) as raised:
        reveal(secrets, None)
    assert str(raised.value).removeprefix("its secret KEY").lstrip(": ") == why.format(path=path)
    assert unreadable(secrets, None) == str(raised.value)


def test_a_credential_is_missed_by_the_service_alone() -> None:
    secrets = {"DB": Source(credential="db")}
    assert "LoadCredential=" in unreadable(secrets, None)
    assert unreadable(secrets, None, is_service=False) == ""
