"""Where broker and manager are: by options, else by the environment, else by a context that a file names."""

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._files import FILE

CONTEXTS: Final = "CARONI_CONTEXTS"
"""The variable that names the file with contexts, instead of the one below the home directory."""
CONTEXTS_FILE: Final = Path("~/.config/caroni-edge/contexts.yaml")
ADDRESSES: Final = ("broker", "url")
LOGIN: Final = ("username", "password_file", "ca_file", "cert_file", "key_file")
TOKENS: Final = ("token", "token_file")
IN_CONTEXTS: Final = ("broker", "manager", "topic_root", *LOGIN, "url", "token_file")
VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {f"CARONI_{name.upper()}": name for name in ("broker", "manager", "topic_root", *LOGIN, "url", *TOKENS)}
)


class Place(NamedTuple):
    """Where broker and manager are, and how they are entered; None where nothing says it.

    Attributes:
        config: Configuration of a node on this host, which is asked by its socket.
    """

    broker: str | None = None
    manager: str | None = None
    topic_root: str | None = None
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    url: str | None = None
    token: str | None = None
    token_file: Path | None = None
    config: Path | None = None


def find(options: Mapping[str, Any], context: str | None, environ: Mapping[str, str] = os.environ) -> Place:
    """Find out where broker and manager are.

    Args:
        options: What the command line says, by the names of `Place`; None where nothing.
        context: The context that it names; None for the default of the file, if there is one.
        environ: The environment.

    Raises:
        UsageError: It is said twice, a file is not there, or contexts cannot be read.
    """
    near = {name: value for name, value in options.items() if value is not None}
    if "config" in near:
        if "url" in near:
            raise UsageError("--url", "--config names the node already, by its socket", "Leave one of them out.")
        return Place(**near)
    environment = _of_environment(environ)
    near = _without(environment, [*_elsewhere(near), *(TOKENS if near.keys() & {*TOKENS} else ())]) | near
    # What lets into the nodes of a context is for nobody else.
    elsewhere = _elsewhere(near)
    not_theirs = [*elsewhere, *(LOGIN if elsewhere else ()), *(TOKENS if elsewhere or near.keys() & {*TOKENS} else ())]
    return Place(**_without(_of_context(context, environ), not_theirs) | near)


def _elsewhere(near: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is not taken from farther away: one manager's broker and another's page do not go together."""
    return ADDRESSES if near.keys() & {*ADDRESSES} else ()


def _without(said: Mapping[str, Any], left_out: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in left_out}


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {name: environ[variable] for variable, name in VARIABLES.items() if environ.get(variable)}
    if "token" in found:
        found.pop("token_file", None)
    return {name: _value(f"CARONI_{name.upper()}", name, value, Path()) for name, value in found.items()}


def _of_context(name: str | None, environ: Mapping[str, str]) -> dict[str, Any]:
    from caroni_edge.documents.documents import load, nearest  # noqa: PLC0415

    path = contexts_file(environ)
    if not path.exists() and name is None and not environ.get(CONTEXTS):
        return {}
    document = load(path)
    contexts = document.value.get("contexts") if isinstance(document.value, dict) else None
    if not isinstance(contexts, dict):
        hint = "contexts: {shore: {broker: …, manager: …, url: …}}"
        raise UsageError(document.where(), "contexts are a mapping of names to what each says", hint)
    chosen = document.value.get("default") if name is None else name
    if chosen is None:
        return {}
    context = contexts.get(chosen) if isinstance(chosen, str) else None
    if not isinstance(context, dict):
        known = ", ".join(contexts) or "none"
        where = "--context" if name is not None else document.where("default")
        raise UsageError(where, f'"{chosen}" is no context{nearest(str(chosen), contexts)}', f"{path} has {known}.")
    for key, value in context.items():
        if key not in IN_CONTEXTS or not isinstance(value, str):
            said = f"{key} must be a text" if key in IN_CONTEXTS else f'unknown key "{key}"{nearest(key, IN_CONTEXTS)}'
            raise UsageError(document.where("contexts", chosen, key), said)
    return {key: _value(str(path), key, value, path.parent) for key, value in context.items()}


def contexts_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file that holds contexts, whether it is there or not."""
    return Path(environ.get(CONTEXTS) or CONTEXTS_FILE).expanduser()


def context_names() -> list[str]:
    """Return the names of the contexts, for completion."""
    from caroni_edge.documents.documents import load  # noqa: PLC0415

    value = load(contexts_file()).value
    return [str(name) for name in value["contexts"]]


def _value(where: str, name: str, text: str, directory: Path) -> str | Path:
    if not name.endswith("_file"):
        return text
    path = directory / Path(text).expanduser()
    if not path.is_file():
        raise UsageError(where, f"{name} names {path}, and there is no such file")
    return path


Decorator = Callable[[Callable[..., None]], Callable[..., None]]

_API: Final = (
    click.option("--url", help="Address of the manager's page.  [default: http://127.0.0.1:8000]"),
    click.option("--token", help="Token of its API; better in a file, where `ps` does not show it."),
    click.option("--token-file", type=FILE, help="File that holds the token."),
    click.option("--config", type=FILE, help="The manager's configuration: it is asked by its socket, on this host."),
    click.option("--context", metavar="NAME", help="What contexts.yaml says under this name; options win over it."),
)
_BROKER: Final = (
    click.option("--broker", metavar="URL", help="mqtt://HOST[:PORT], mqtts://…, ws://… or wss://…"),
    click.option("--manager", metavar="ID", help="The workflow manager."),
    click.option("--username", help="For the broker."),
    click.option("--password-file", type=FILE, help="Holds the password for the broker."),
    click.option("--ca-file", type=FILE, help="Certificates to trust instead of the system's."),
    click.option("--cert-file", type=FILE, help="Certificate of our own, for a broker that wants one."),
    click.option("--key-file", type=FILE, help="Its key, where it is in another file."),
    click.option("--topic-root", metavar="ROOT", help="What the topics begin with.  [default: caroni]"),
)


def place_options(*, with_broker: bool) -> Decorator:
    """Return what gives a command the options that say where the manager is, and the broker; in `place` it gets it."""
    chosen = (*_BROKER, *_API) if with_broker else _API

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_place(*args: Any, context: str | None, **kwargs: Any) -> None:
            options = {name: kwargs.pop(name) for name in Place._fields if name in kwargs}
            command(*args, place=find(options, context), **kwargs)

        for option in reversed(chosen):
            with_place = option(with_place)
        return with_place

    return decorate
