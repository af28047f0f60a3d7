"""The kinds of values that a key can have: how each is read, and what people call it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from caroni_edge.base.hosts import HOSTS_MAX, Host, parse_host
from caroni_edge.config.broker_url import broker_url
from caroni_edge.config.hours import Hours, parse_hours
from caroni_edge.config.model import EVERYBODY, Network
from caroni_edge.config.secret import SECRET_MAX_BYTES, Secret, read_secret
from caroni_edge.config.units import amount, duration, size
from caroni_edge.protocol.fields import is_segment
from caroni_edge.protocol.labels import NAME_WORDS, VALUE_WORDS, is_label_name, is_label_value
from caroni_edge.protocol.topics import REPLY_TOPIC_MAX_BYTES
from caroni_edge.values.json import shown
from caroni_edge.values.remote import direct_address

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd tells a service its credentials (systemd.exec(5), LoadCredential=)."""

NEVER = "never"
AUTO = "auto"

_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,16}")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration is read: the folder that relative paths start at, and the environment."""

    folder: Path
    environ: Mapping[str, str]


RATE_MIN = 1024
"""With less no chunk of a file would ever end."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a key takes.

    Attributes:
        name: For people, as in "expected NAME".
        read: Makes the value of what stands in the file; raises ValueError with words for people.
        as_text: A value from the environment is taken as it is; otherwise it is read as YAML.
        written: How such a value is written, where its name does not say it.
    """

    name: str
    read: Callable[[Any, Place], object]
    as_text: bool = True
    written: str = ""


def _text(value: object, expected: str) -> str:
    if isinstance(value, bool | int | float):
        raise ValueError(f"expected {expected}, got {shown(value)}: put it in quotes if it is meant so")
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return value


def plain_text(value: object, _place: Place) -> str:
    """Read one line of text.

    Raises:
        ValueError: It is none.
    """
    text = _text(value, "text")
    if not text.isprintable():
        raise ValueError("expected one line of text without control characters")
    return text


def _segment(value: object, _place: Place) -> str:
    text = _text(value, "a name of 1 to 40 of a-z 0-9 _ -")
    if not is_segment(text):
        raise ValueError(f"{shown(text)} is no name that a topic can hold: write 1 to 40 of a-z 0-9 _ -")
    return text


def _manager(value: object, place: Place) -> str:
    return EVERYBODY if value == EVERYBODY else _segment(value, place)


def _user(value: object, _place: Place) -> str:
    text = _text(value, "a user name")
    if not _USER.fullmatch(text):
        raise ValueError(f"{shown(text)} is no user name: write 1 to 64 of A-Z a-z 0-9 . _ @ -")
    return text


def _path(value: object, place: Place) -> Path:
    text = _text(value, "a path")
    if "\0" in text:
        raise ValueError("a path cannot hold a NUL character")
    return place.folder / text


def _paths(value: object, place: Place) -> tuple[Path, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list of paths, got {shown(value)}")
    return tuple(_path(each, place) for each in value)


def _readable(value: object, place: Place) -> Path:
    path = _path(value, place)
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    return path


def _secret(value: object, _place: Place) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected text: put it in quotes (its value is not shown here)")
    if not value:
        raise ValueError("an empty secret protects nothing: leave it out, or write one")
    return Secret(value)


def _secret_file(value: object, place: Place) -> Secret:
    path = _find_secret(_path(value, place), str(value), place)
    try:
        return read_secret(path)
    except OSError as error:
        beside = f" (nor is it in ${CREDENTIALS})" if place.environ.get(CREDENTIALS) else ""
        raise ValueError(f"cannot read {path}: {error.strerror or error}{beside}") from None
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def _find_secret(path: Path, name: str, place: Place) -> Path:
    """Return the service's credential of that name if there is one, else the path."""
    credentials = place.environ.get(CREDENTIALS)
    if not credentials or Path(name).is_absolute():
        return path
    credential = Path(credentials, name)
    return credential if credential.exists() else path


def _duration(value: object, _place: Place) -> float:
    seconds = duration(value)
    if not seconds:
        raise ValueError(f"{shown(value)} is too short: it must be more than 0")
    return seconds


def _size(value: object, _place: Place) -> int:
    return size(value)


def _rate(value: object, _place: Place) -> int:
    found = size(value)
    if found < RATE_MIN:
        raise ValueError(f"expected a size for each second of 1K or more, got {shown(value)}")
    return found


def _hours(value: object, _place: Place) -> Hours:
    return parse_hours(_text(value, "hours, as 22:00-06:00"))


def _hosts(value: object, _place: Place) -> tuple[Host, ...]:
    if not isinstance(value, list) or len(value) > HOSTS_MAX:
        raise ValueError(
            f"expected a list of hosts, {HOSTS_MAX} at most, such as [data.example.org], got {shown(value)}"
        )
    return tuple(dict.fromkeys(parse_host(_text(each, "a host, such as data.example.org")) for each in value))


def _direct_url(value: object, _place: Place) -> str:
    text = _text(value, "https://HOST[:PORT]")
    if direct_address(text) is None:
        raise ValueError(f"expected https://HOST[:PORT], without a path, got {shown(value)}")
    return text


def _bucket_url(value: object, _place: Place) -> str:
    text = _text(value, "s3://BUCKET or s3://BUCKET/PREFIX").rstrip("/")
    if not _BUCKET.fullmatch(text):
        raise ValueError(f"expected s3://BUCKET or s3://BUCKET/PREFIX, got {shown(value)}")
    return text


def _endpoint_url(value: object, _place: Place) -> str:
    text = _text(value, "https://HOST[:PORT]").rstrip("/")
    if not _ENDPOINT.fullmatch(text):
        raise ValueError(f"expected https://HOST[:PORT], or http://HOST[:PORT], got {shown(value)}")
    return text


def _amount(value: object, _place: Place) -> int:
    return amount(value)


def _broker_urls(value: object, _place: Place) -> object:
    if isinstance(value, list) and not value:
        raise ValueError("the list is empty: write mqtt://HOST[:PORT]")
    return tuple(broker_url(_text(each, "a URL")) for each in (value if isinstance(value, list) else [value]))


def _topic_filters(value: object, _place: Place) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"expected a list of topic filters, such as [answers/#], got {shown(value)}")
    for each in value:
        first, *below = _text(each, "a topic filter, such as answers/#").split("/")
        if not is_segment(first):
            raise ValueError(f"{shown(each)} must begin with a plain name: 1 to 40 of a-z 0-9 _ -, no wildcard")
        *inner, last = below or ["-"]
        plain = [level for level in (*inner, "" if last == "#" else last) if level != "+"]
        if (
            len(each.encode()) > REPLY_TOPIC_MAX_BYTES
            or not each.isprintable()
            or any(c in "".join(plain) for c in "+#")
        ):
            raise ValueError(f"{shown(each)} is no topic filter: + is a whole level, # the last one")
    return tuple(value)


def _agents(value: object, place: Place) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"expected a list of agents, such as [a1, a2], got {shown(value)}")
    return tuple(dict.fromkeys(_segment(agent, place) for agent in value))


def _label_name(value: object, _place: Place) -> str:
    name = _text(value, "the name of a label")
    if not is_label_name(name):
        raise ValueError(f"{shown(name)} is no name of a label: use {NAME_WORDS}")
    return name


def _label_value(value: object, _place: Place) -> str:
    text = _text(value, "a text")
    if not is_label_value(text):
        raise ValueError(f"{shown(text)} is no value of a label: it may have {VALUE_WORDS}")
    return text


def _networks(value: object, _place: Place) -> tuple[Network, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list of addresses, such as [127.0.0.1, 10.0.0.0/8], got {shown(value)}")
    try:
        return tuple(ip_network(_text(each, "an address")) for each in value)
    except ValueError as error:
        raise ValueError(f"{error}: write an IP address or a network, such as 10.0.0.0/8") from None


def _flag(value: object, _place: Place) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {shown(value)}")
    return value


def _or_never(kind: Kind) -> Kind:
    """Return the kind of a key that takes what `kind` takes, or `never`, which is None."""
    return Kind(
        f"{kind.name} or {NEVER}",
        lambda value, place: None if value == NEVER else kind.read(value, place),
        written=kind.written,
    )


TEXT = Kind("text", plain_text, written="one line without control characters")
SEGMENT = Kind("name", _segment, written="1 to 40 of `a-z 0-9 _ -`, since it is part of a topic")
MANAGER = Kind("name of a manager", _manager, written="a name, or `*` for all that are not named")
LABEL = Kind("name of a label", _label_name, written=NAME_WORDS)
LABEL_VALUE = Kind("value of a label", _label_value, written=VALUE_WORDS)
USER = Kind("user name", _user, written="1 to 64 of `A-Z a-z 0-9 . _ @ -`")
PATH = Kind("path", _path, written="a relative one starts at the folder of the configuration")
PATHS = Kind("list of paths", _paths, as_text=False, written="relative ones start at the folder of the configuration")
READABLE_FILE = Kind("file", _readable, written="a path of what this node may read")
SECRET = Kind("secret", _secret, written="text, in quotes where YAML would read something else")
SECRET_FILE = Kind(
    "file of a secret",
    _secret_file,
    written=f"a path of what holds the secret on one line, {SECRET_MAX_BYTES} bytes at most; "
    "where systemd gives the service a credential of that name, that one is taken",
)
DURATION = Kind("duration", _duration, written="a number and `ms`, `s`, `m`, `h` or `d`, such as `500ms` or `90d`")
DURATION_OR_NEVER = _or_never(DURATION)
NETWORKS = Kind("list of addresses", _networks, as_text=False)
FLAG = Kind("true or false", _flag, as_text=False)
AGENTS = Kind("list of agents", _agents, as_text=False)
SIZE = Kind("size", _size, written="a number and `B`, `K`, `M`, `G` or `T`, each 1024 times the one before")
SIZE_OR_NEVER = _or_never(SIZE)
RATE = Kind("size for each second", _rate, written=SIZE.written)
HOURS = Kind("hours of the day", _hours, written="two times, such as `22:00-06:00`, over midnight too")
DIRECT_URL = Kind("https:// URL of a host, without a path", _direct_url)
HOSTS = Kind(
    "list of hosts",
    _hosts,
    as_text=False,
    written='a list of names, such as `[data.example.org, "*.example.com", nas.example.org:8443]`',
)
BUCKET_URL = Kind("s3:// URL", _bucket_url, written="`s3://BUCKET` or `s3://BUCKET/PREFIX`")
ENDPOINT_URL = Kind("https:// or http:// URL of a host, without a path", _endpoint_url)
AMOUNT = Kind("amount", _amount, as_text=False, written="a whole number, such as `2`, or a size, such as `4G`")
TOPIC_FILTERS = Kind("list of topic filters", _topic_filters, as_text=False)
BROKER_URL = Kind("mqtt://, mqtts://, ws:// or wss:// URL, or a list of such", _broker_urls, as_text=False)


def whole(least: int, most: int) -> Kind:
    """Return the kind of a key that takes whole numbers from `least` to `most`."""
    name = f"whole number from {least} to {most}"

    def read(value: object, _place: Place) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"expected a {name}, got {shown(value)}")
        return value

    return Kind(name, read, as_text=False)


def _or_auto(kind: Kind) -> Kind:
    """Return the kind of a key that takes what `kind` takes, or `auto`, which is None."""
    name = f"{kind.name}, or {AUTO}"
    return replace(kind, name=name, read=lambda value, place: None if value == AUTO else kind.read(value, place))


PLACES = _or_auto(whole(0, 100_000))


def weight(most: int) -> Kind:
    """Return the kind of a key that takes numbers above 0, to `most`."""
    name = f"number above 0, to {most}"

    def read(value: object, _place: Place) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
            raise ValueError(f"expected a {name}, got {shown(value)}")
        return float(value)

    return Kind(name, read, as_text=False)


def choice(*words: str) -> Kind:
    """Return the kind of a key that takes one of `words`."""
    name = " or ".join(words)

    def read(value: object, _place: Place) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"expected {name}, got {shown(value)}")
        return value

    return Kind(name, read)
