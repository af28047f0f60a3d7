"""docs/brokers.md recommends what the tests run with."""

import re

import pytest

from tests import other_brokers
from tests.architecture.source import ROOT

DOCUMENT = (ROOT / "docs/brokers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        (other_brokers.RABBITMQ_SETTINGS, r"mqtt\.prefetch = \d+"),
        (other_brokers.NATS_SETTINGS, r"max_ack_pending: \d+"),
        (other_brokers.NATS_SETTINGS, r'ack_wait: "\w+"'),
        (other_brokers.NATS_SETTINGS, r"server_name: \w+"),
    ],
)
def test_what_is_recommended_is_what_is_tested(settings: str, setting: str) -> None:
    assert re.findall(setting, settings) == re.findall(setting, DOCUMENT) != []
