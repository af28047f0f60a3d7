"""Brokers, and names in topics, as command lines say them."""

from pathlib import Path
from typing import Any

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._context import Place


def check_segment(where: str, word: str) -> None:
    """Make sure that a word can stand in a topic.

    Raises:
        UsageError: It cannot.
    """
    from caroni_edge.protocol.fields import is_segment  # noqa: PLC0415

    if not is_segment(word):
        raise UsageError(where, f'"{word}" is no name', "1 to 40 of a-z 0-9 _ - make one.")


def is_by_broker(place: Place) -> bool:
    """Tell whether a workflow is started over MQTT: wherever a broker is named. Otherwise the manager's API does it.

    Raises:
        UsageError: A broker is named, and no manager; or the other way round.
    """
    if place.broker is not None and place.manager is None:
        raise UsageError("--manager", "a broker is named, and no manager", "Give its id with --manager.")
    return place.broker is not None


def broker_config(url: str, *, password_file: Path | None = None, **others: Any) -> Any:
    """Return how a broker is reached, from what a command line says; `others` are fields of `BrokerConfig`.

    Raises:
        UsageError: The URL is none, or the file holds no password.
    """
    from caroni_edge.config import BrokerConfig, broker_url, read_secret  # noqa: PLC0415

    try:
        parts = broker_url(url)
    except ValueError as error:
        raise UsageError("--broker", str(error)) from None
    try:
        password = read_secret(password_file) if password_file else None
    except ValueError as error:
        raise UsageError("--password-file", f"{password_file} {error}") from None
    return BrokerConfig(urls=(parts,), password=password, **others)
