"""What the journal of systemd is given, and when."""

import io
import logging
import socket
from pathlib import Path

import pytest

from caroni_edge.base import journal, logs

log = logging.getLogger("caroni_edge.test_journal")


def test_only_a_stream_that_ends_in_the_journal_is_taken(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        there = (tmp_path / "stream").stat()
        assert journal.takes(stream, {journal.STREAM: f"{there.st_dev}:{there.st_ino}"})
        assert not journal.takes(stream, {journal.STREAM: f"{there.st_dev}:1"})
        assert not journal.takes(stream, {})
    assert not journal.takes(io.StringIO(), {journal.STREAM: "1:1"})


def test_no_text_from_elsewhere_adds_a_field() -> None:
    said = journal.entry("one line", 4, {"step": "a/b", "odd name": "x\nPRIORITY=0"})
    assert said.startswith(b"MESSAGE=one line\nPRIORITY=4\nSYSLOG_IDENTIFIER=caroni-edge\nCARONI_STEP=a/b\n")
    assert said.endswith(b"CARONI_ODD_NAME\n" + (12).to_bytes(8, "little") + b"x\nPRIORITY=0\n")


def test_records_go_there_with_their_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = (tmp_path / "stream").open("w+")
    there = (tmp_path / "stream").stat()
    monkeypatch.setenv(journal.STREAM, f"{there.st_dev}:{there.st_ino}")
    sent: list[bytes] = []
    monkeypatch.setattr(journal, "send", sent.append)
    logs.setup("managers/m1", stream=stream)
    log.warning("not placed", extra={"action": "step_waits", "workflow": "w1", "attempt": 2})
    assert sent == [
        b"MESSAGE=not placed action=step_waits workflow=w1 attempt=2\nPRIORITY=4\nSYSLOG_IDENTIFIER=caroni-edge\n"
        b"CARONI_NODE=managers/m1\nCARONI_ACTION=step_waits\nCARONI_WORKFLOW=w1\nCARONI_ATTEMPT=2\n"
    ]
    stream.seek(0)
    assert stream.read() == ""
    assert [line.partition(" ")[2] for line in logs.recent()] == [
        "WARNING managers/m1 not placed action=step_waits workflow=w1 attempt=2"
    ]
    stream.close()


def test_what_the_journal_does_not_take_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = (tmp_path / "stream").open("w+")
    there = (tmp_path / "stream").stat()
    monkeypatch.setenv(journal.STREAM, f"{there.st_dev}:{there.st_ino}")

    def refuse(_data: bytes) -> None:
        raise OSError("too long")

    monkeypatch.setattr(journal, "send", refuse)
    logs.setup("managers/m1", stream=stream)
    log.info("placed", extra={"action": "placed"})
    stream.seek(0)
    assert stream.read().endswith(" INFO    managers/m1 placed action=placed\n")
    stream.close()


def test_an_entry_reaches_its_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "journal"))
        journal.send(b"MESSAGE=hello\n", str(tmp_path / "journal"))
        assert heard.recv(100) == b"MESSAGE=hello\n"
