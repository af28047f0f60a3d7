from dataclasses import replace
from pathlib import Path

import pytest

from caroni_edge.config import AgentConfig, load_agent
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.doctor.findings import Finding, Level
from caroni_edge.doctor.secrets import check


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentConfig:
    monkeypatch.delenv(CREDENTIALS, raising=False)
    (tmp_path / "agent.yaml").write_text("id: a1\nbroker: {url: 'mqtt://127.0.0.1'}\njob_types: jobtypes\n")
    (tmp_path / "jobtypes").mkdir()
    return load_agent(tmp_path / "agent.yaml", {})


def found(config: AgentConfig, secrets: str) -> list[Finding]:
    (config.job_types / "call.yaml").write_text(f"name: call\nscript: exit\n{secrets}")
    return list(check(config))


def test_nothing_is_said_where_there_are_no_secrets(config: AgentConfig, tmp_path: Path) -> None:
    assert found(config, "") == []
    assert list(check(replace(config, job_types=tmp_path / "none"))) == []


def test_a_missing_secret_is_a_problem(config: AgentConfig, tmp_path: Path) -> None:
    (finding,) = found(config, "secrets: {KEY: {file: ../key}}\n")
    assert finding.level is Level.PROBLEM
    assert "job type call is refused: its secret KEY cannot be read" in str(finding)
    (tmp_path / "key").write_text("hunter22")
    (finding,) = found(config, "secrets: {KEY: {file: ../key}}\n")
    assert finding.level is Level.OK
    assert "hunter22" not in str(finding)


def test_what_only_the_service_sees_is_said(config: AgentConfig) -> None:
    (finding,) = found(config, "secrets: {DB: {credential: db}}\n")
    assert finding.level is Level.WARNING
