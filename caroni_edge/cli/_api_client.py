"""What the commands share that ask a node's API: their options, the requests, and how answers are shown."""

import functools
import os
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, Literal, NamedTuple, ParamSpec

import click

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._context import Place, place_options
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json
from caroni_edge.node.api_socket import SOCKET, address, directory_of

Role = Literal["manager", "agent"]
P = ParamSpec("P")

URLS: Mapping[Role, str] = {"manager": "http://127.0.0.1:8000", "agent": "http://127.0.0.1:8001"}
TOKEN = "CARONI_TOKEN"  # noqa: S105 - the name of a variable
TIMEOUT_S = 30.0
CONNECT_WITHIN_S = 5.0
"""So long a page may take to be reached where there is a broker too."""
JSON = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and an error too.")


class Unreachable(CaroniError):
    """The {role} cannot be reached: {reason}."""

    hint = "Is it running, and is this its address? Give another with --url, or its configuration with --config."


class SocketSilent(CaroniError):
    """The {role} does not answer on its socket: {reason}."""

    hint = "Is it running? Run this as its user, or as root; or name its address with --url instead of --config."


class TokenWrong(CaroniError):
    """The {role} does not let us in: {reason}."""

    hint = (
        "Give its token with --token-file FILE or in CARONI_TOKEN; it is in state_dir/web-token, which its owner may "
        "read. On its host, --config with its configuration file needs none."
    )
    exit_status = 2


class ApiRefused(CaroniError):
    """{reason}."""

    hint = ""
    headers: Mapping[str, str] = MappingProxyType({})


class ApiUsage(ApiRefused):
    """{reason}."""

    exit_status = 2


class TokenUnreadable(CaroniError):
    """The token cannot be read: {reason}."""

    hint = "Give a token that you may read."
    exit_status = 2


class NotAnApi(CaroniError):
    """This is not the API of a Caroni Edge {role}: {reason}."""

    hint = "Give its address with --url."
    exit_status = 2


class Options(NamedTuple):
    """What the command line says of the node: its address and its token, or its configuration; None where nothing.

    Attributes:
        broker: Where it may be asked over MQTT.
    """

    url: str | None
    token: str | None
    token_file: Path | None
    config: Path | None
    broker: Place | None = None


class Api:
    """A client of the API of one node.

    Attributes:
        role: Which kind of node it is.
        url: Its address, or its socket.
        as_json: Whether to print the answer as JSON.
    """

    def __init__(self, role: Role, options: Options, *, as_json: bool, timeout_s: float = TIMEOUT_S) -> None:
        """Find out where the node is, and its token.

        Raises:
            CaroniError: A file that was named is of no use.
        """
        import httpx  # noqa: PLC0415 - costs a tenth of a second, which `--help` need not take

        self.role: Role = role
        self.as_json = as_json
        self._is_on_host = options.config is not None
        self.url = (options.url or URLS[role]).rstrip("/")
        headers, base = {"Accept": "application/json"}, self.url
        transport: Any = None
        if options.config is not None:
            if options.url is not None:
                raise UsageError("--url", "--config names the node already, by its socket", "Leave one of them out.")
            state_dir = _state_dir(role, options.config)
            self.url, base, transport = str(state_dir / SOCKET), "http://localhost", _by_socket(role, state_dir)
        elif token := _token(options):
            headers["Authorization"] = f"Bearer {token}"
        connect_s = timeout_s
        if options.broker is not None:
            from caroni_edge.cli._asking import transport_to  # noqa: PLC0415

            page = httpx.HTTPTransport(verify=_trust(base)) if options.url is not None else None
            tell = (lambda _line: None) if as_json else partial(say, err=True)
            transport = transport_to(options.broker, page, _token(options), tell)
            connect_s = min(timeout_s, CONNECT_WITHIN_S)
        try:
            # No proxies and no .netrc: the node is near, and the token is for it alone.
            self._client = httpx.Client(
                base_url=base,
                headers=headers,
                timeout=httpx.Timeout(timeout_s, connect=connect_s),
                trust_env=False,
                transport=transport,
                verify=_trust(base),
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise UsageError("--url", f"{self.url} is no address, or the token no text for a header: {error}") from None

    def get(self, path: str, **asked: Any) -> Any:
        """Return the JSON of an answer; options that are None are left out."""
        return self._json(self.fetch("GET", path, **asked))

    def post(self, path: str, body: object = None, **asked: Any) -> Any:
        """POST a change, and return the JSON of the answer."""
        return self._json(self.fetch("POST", path, body=body, **asked))

    def delete(self, path: str) -> Any:
        """DELETE something, and return the JSON of the answer."""
        return self._json(self.fetch("DELETE", path))

    def put(self, path: str, content: Iterable[bytes], size: int) -> Any:
        """PUT so many bytes, and return the JSON of the answer."""
        headers = {"Content-Length": str(size)}
        return self._json(self._send(partial(self._client.put, path, content=content, headers=headers)))

    def fetch(self, method: str, path: str, *, body: object = None, **asked: Any) -> Any:
        """Send a request, and return the response of httpx, which is a success (see `_send`)."""
        params = {name: value for name, value in asked.items() if value is not None}
        return self._send(partial(self._client.request, method, path, params=params, json=body))

    def _send(self, send: Callable[[], Any]) -> Any:
        """Send a request, and return the response of httpx, which is a success.

        Raises:
            Unreachable, SocketSilent: There is none.
            TokenWrong: The node does not know us.
            ApiRefused: The node says no.
            NotAnApi: Somebody else answers.
        """
        import httpx  # noqa: PLC0415

        try:
            with self._heard():
                answer = send()
        except httpx.InvalidURL as error:
            raise UsageError("--url", f"{self.url} is no address: {error}") from None
        if answer.is_success:
            return answer
        with self._heard():
            answer.read()
        reason = self._reason(answer)
        if answer.status_code in (401, 403):
            raise TokenWrong(self.url, role=self.role, reason=reason)
        refused = (ApiUsage if answer.status_code in (400, 422) else ApiRefused)("", reason=reason)
        refused.headers = answer.headers
        raise refused

    @contextmanager
    def download(self, path: str, begin: int) -> Iterator[Iterator[bytes]]:
        """GET a file from a byte on, and give its pieces as they come (see `_send`)."""
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        answer = self._send(
            lambda: self._client.send(self._client.build_request("GET", path, headers=headers), stream=True)
        )
        try:
            with self._heard():
                yield answer.iter_bytes()
        finally:
            answer.close()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Say that the node cannot be reached where its answer breaks off."""
        import httpx  # noqa: PLC0415

        try:
            yield
        except httpx.HTTPError as error:
            kind = SocketSilent if self._is_on_host else Unreachable
            raise kind(self.url, role=self.role, reason=error or type(error).__name__) from None

    def show(self, answer: Any, text: Iterable[str]) -> None:
        """Print an answer: as JSON when that was asked for, otherwise lines for people."""
        if self.as_json:
            say_json(answer)
        else:
            for line in text:
                say(line)

    def _json(self, answer: Any) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise NotAnApi(self.url, role=self.role, reason="the answer is no JSON") from None

    def _reason(self, answer: Any) -> str:
        try:
            return str(answer.json()["error"])
        except (ValueError, LookupError, TypeError):
            reason = f"it answered {answer.status_code} {answer.reason_phrase}"
            raise NotAnApi(self.url, role=self.role, reason=reason) from None


def manager_api(command: Callable[Concatenate[Api, P], None]) -> Callable[..., None]:
    """Give a command the API of a manager as its first argument, and the options that say which."""

    @place_options(with_broker=False)
    @JSON
    @functools.wraps(command)
    def with_api(place: Place, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        command(api_at(place, as_json=as_json), *args, **kwargs)

    return with_api


def asked_api(command: Callable[Concatenate[Api, P], None]) -> Callable[..., None]:
    """Give a command the API of a manager likewise, which may be asked over MQTT too, where a broker is named."""

    @place_options(with_broker=True)
    @JSON
    @functools.wraps(command)
    def with_api(place: Place, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        command(api_at(place, as_json=as_json, may_ask=True), *args, **kwargs)

    return with_api


def agent_api(command: Callable[Concatenate[Api, P], None]) -> Callable[..., None]:
    """Give a command the API of an agent likewise: by options alone, since contexts are about managers."""

    @click.option("--url", help=f"Address of the agent.  [default: {URLS['agent']}]")
    @click.option("--token", help="Token of its API; better in a file, where `ps` does not show it.")
    @click.option("--token-file", type=FILE, help=f"File that holds the token; otherwise {TOKEN} may.")
    @click.option("--config", type=FILE, help="The agent's configuration: it is asked by its socket, here.")
    @JSON
    @functools.wraps(command)
    def with_api(
        url: str | None,
        token: str | None,
        token_file: Path | None,
        config: Path | None,
        as_json: bool,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        command(Api("agent", Options(url, token, token_file, config), as_json=as_json), *args, **kwargs)

    return with_api


def api_at(place: Place, *, as_json: bool, timeout_s: float = TIMEOUT_S, may_ask: bool = False) -> Api:
    """Return the API of the manager at a place; `may_ask`: over MQTT too."""
    is_asked = may_ask and place.config is None and place.broker is not None
    options = Options(place.url, place.token, place.token_file, place.config, place if is_asked else None)
    return Api("manager", options, as_json=as_json, timeout_s=timeout_s)


def _state_dir(role: Role, config: Path) -> Path:
    """Return where a node has its socket, by its configuration."""
    from caroni_edge.cli.check_config import load_node, node_role  # noqa: PLC0415

    if (other := node_role(config)) != role:
        named = f"a{'n' if other == 'agent' else ''} {other}"
        said = f"this is the configuration of {named}, and this command asks the {role}"
        raise UsageError(str(config), said, f"Give that of the {role}.")
    return load_node(config).state_dir


def _trust(url: str) -> ssl.SSLContext:
    """Return what tells whose certificates are good: this host's, which takes a moment to read and only https needs."""
    return ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _by_socket(role: Role, state_dir: Path) -> Any:
    """Return a transport of httpx that ends at a node's socket; its descriptor stays open, as long as the command."""
    import httpx  # noqa: PLC0415

    try:
        return httpx.HTTPTransport(uds=address(directory_of(state_dir)), verify=_trust(""))
    except OSError as error:
        raise SocketSilent(str(state_dir / SOCKET), role=role, reason=error.strerror or error) from None


def _token(options: Options) -> str | None:
    """Return the token that an option, a file or the environment gives, in this order; None when none does."""
    if options.token is not None:
        return options.token
    if options.token_file is not None:
        return _read(options.token_file)
    return os.environ.get(TOKEN) or None


def _read(path: Path) -> str:
    from caroni_edge.web.credentials import CredentialUnusable, read  # noqa: PLC0415

    try:
        return read(path).reveal()
    except CredentialUnusable as error:
        raise TokenUnreadable(str(path), reason=error.facts["reason"]) from None
