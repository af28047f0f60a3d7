"""The units for systemd: what keeps jobs alive over a restart of the agent, and what protects the host."""

from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
ROLES = ("manager", "agent")


def settings(role: str) -> dict[str, list[str]]:
    """Return the settings of a unit (`manager`, `manager@`); one that stands there again adds to what it had."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"caroni-edge-{role}.service").read_text().splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_runs_its_daemon_as_a_user_of_its_own(role: str) -> None:
    unit = settings(role)
    assert unit["ExecStart"] == [f"/usr/bin/caroni-edge {role} --config /etc/caroni-edge/{role}.yaml"]
    assert unit["User"] == [f"caroni-{role}"]
    assert f"u caroni-{role} " in (UNITS / "caroni-edge.sysusers").read_text()
    assert unit["StateDirectory"] == [f"caroni-edge/{role}"]
    assert "DynamicUser" not in unit


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_starts_again_after_a_crash_but_not_after_a_usage_error(role: str) -> None:
    unit = settings(role)
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert unit["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_gives_its_daemon_few_rights(role: str) -> None:
    unit = settings(role)
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateDevices", "RestrictSUIDSGID", "ProtectKernelModules"):
        assert unit[name] == ["yes"]


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_is_started_anew_when_its_daemon_hangs(role: str) -> None:
    unit = settings(role)
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["60"]
    assert "NotifyAccess" not in unit, "jobs could say that the agent is well"


@pytest.mark.parametrize("role", ROLES)
def test_the_template_is_the_unit_with_files_of_its_own(role: str) -> None:
    named = settings(f"{role}@")
    assert named.pop("ExecStart") == [f"/usr/bin/caroni-edge {role} --config /etc/caroni-edge/%i.yaml"]
    assert named.pop("StateDirectory") == ["caroni-edge/%i"]
    (description,) = named.pop("Description")
    assert description.endswith(" %i")
    unit = settings(role)
    assert named == {name: unit[name] for name in unit.keys() - {"ExecStart", "StateDirectory", "Description"}}


def test_jobs_outlive_the_agents_unit() -> None:
    unit = settings("agent")
    assert unit["KillMode"] == ["process"]
    assert unit["OOMPolicy"] == ["continue"]
    # Both would be taken away from the jobs that are still running when the agent stops.
    assert "PrivateTmp" not in unit
    assert "RuntimeDirectory" not in unit


def test_the_manager_leaves_nothing_behind() -> None:
    unit = settings("manager")
    assert "KillMode" not in unit
    assert unit["PrivateTmp"] == ["yes"]
