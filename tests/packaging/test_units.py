"""How much the units leave open, as systemd counts it."""

import re
import subprocess

import pytest

from tests.brokers import find
from tests.packaging.conftest import ROOT

UNITS = ROOT / "packaging" / "systemd"


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("caroni-edge-manager.service", 1.2),
        ("caroni-edge-manager@.service", 1.2),
        ("caroni-edge-agent.service", 3.5),
        ("caroni-edge-agent@.service", 3.5),
    ],
)
def test_a_unit_leaves_no_more_open_than_it_says(unit: str, most: float) -> None:
    analyze = find("systemd-analyze", "systemd")
    words = ["security", "--offline=true", str(UNITS / unit)]
    done = subprocess.run([analyze, *words], check=False, capture_output=True, text=True)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= most


def test_both_units_of_an_agent_protect_alike() -> None:
    one, several = (
        re.sub(r"^#.*\n", "", (UNITS / name).read_text(), flags=re.MULTILINE)
        for name in ("caroni-edge-agent.service", "caroni-edge-agent@.service")
    )
    one = one.replace("agent.yaml", "%i.yaml").replace("caroni-edge/agent\n", "caroni-edge/%i\n")
    assert one.replace("Caroni Edge agent\n", "Caroni Edge agent %i\n") == several
