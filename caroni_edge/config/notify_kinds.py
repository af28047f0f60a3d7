"""The kind of value that `notify` has: its entries are checked as they are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from caroni_edge.config.kinds import SECRET_FILE, Kind, Place, plain_text
from caroni_edge.config.notify import OCCASIONS, Command, Notify, Target, Topic, Webhook
from caroni_edge.documents.documents import nearest
from caroni_edge.protocol.topics import FILTER_MAX_BYTES
from caroni_edge.values.json import shown

_TARGETS = ("webhook", "topic", "command")


def _entries(value: object, place: Place) -> tuple[Notify, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list of entries with on and a webhook, topic or command, got {shown(value)}")
    return tuple(_numbered(nth, each, place) for nth, each in enumerate(value, 1))


def _numbered(nth: int, value: object, place: Place) -> Notify:
    try:
        return _entry(value, place)
    except ValueError as error:
        raise ValueError(f"entry {nth}: {error}") from None


def _entry(value: object, place: Place) -> Notify:
    if not isinstance(value, dict):
        raise ValueError(f"expected on and a webhook, topic or command, got {shown(value)}")
    known = ("on", "templates", *_TARGETS)
    for key in value:
        if key not in known:
            raise ValueError(f'unknown key "{key}"{nearest(key, known)}')
    on = _texts("on", value.get("on"), "such as [failed, recovered]")
    for each in on:
        if each not in OCCASIONS:
            raise ValueError(f'on: there is no "{each}"{nearest(each, OCCASIONS)}: it may be {", ".join(OCCASIONS)}')
    templates = _texts("templates", value["templates"], 'such as ["night-*"]') if "templates" in value else ()
    given = [each for each in _TARGETS if each in value]
    if len(given) != 1:
        raise ValueError(f"give one of webhook, topic and command, not {len(given)}")
    return Notify(on, templates, _target(given[0], value[given[0]], place))


def _target(kind: str, value: object, place: Place) -> Target:
    match kind:
        case "webhook":
            return _webhook(value, place)
        case "topic":
            return Topic(_topic(value, place))
        case _:
            words = _texts("command", value, "such as [/usr/local/bin/page-me]")
            if not Path(words[0]).is_absolute():
                raise ValueError(f"command: {words[0]} must be an absolute path")
            return Command(words)


def _webhook(value: object, place: Place) -> Webhook:
    if not isinstance(value, Mapping) or not set(value) <= {"url", "secret_file"} or "url" not in value:
        raise ValueError('webhook: expected {url: "https://…", secret_file: FILE}')
    url = plain_text(value["url"], place)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("webhook: its url must begin with https:// or http:// and name a host (it is not shown here)")
    secret: Any = SECRET_FILE.read(value["secret_file"], place) if "secret_file" in value else None
    return Webhook(url, secret)


def _topic(value: object, place: Place) -> str:
    text = plain_text(value, place)
    if any(c in text for c in "+#") or text.startswith("$") or len(text.encode()) > FILTER_MAX_BYTES:
        raise ValueError(f"topic: {shown(text)} must be one plain topic, without wildcards, and not begin with $")
    return text


def _texts(name: str, value: object, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise ValueError(f"{name}: expected a list of texts, {example}, got {shown(value)}")
    return tuple(value)


NOTIFY = Kind("list of entries", _entries, as_text=False, written="see docs/triggers.md")
