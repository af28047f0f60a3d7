"""Why there is no connection, in words for people: what happened, and what to do about it."""

import socket
import ssl

# By paho's names for the return codes of a CONNACK (MQTT 3.1.1, table 3.1).
LOGIN = {"Bad user name or password", "Not authorized"}
REFUSALS = {
    "Unsupported protocol version": "the broker does not speak MQTT 3.1.1: use one that does",
    "Client identifier not valid": "the broker does not accept the client id {client_id}",
    "Server unavailable": "the broker says that it is unavailable: see its log",
}
OTHER_REFUSAL = "the broker refused the connection ({code}): see its log"

# By what the network's error is; the first that fits is used.
UNREACHABLE: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "{at} does not speak TLS with us ({why}): is the port the one for TLS (mqtts)?"),
    (socket.gaierror, "the name {host} is not known ({why}): check the broker's URL and the name service"),
    (ConnectionRefusedError, "nothing listens at {at}: start the broker, or correct its URL"),
    (TimeoutError, "{at} does not answer: check the broker's URL, the network and its firewalls"),
    (
        ConnectionResetError,
        "{at} closed the connection at once: is it an MQTT broker, with or without TLS as in its URL?",
    ),
    (Exception, "{at} cannot be reached ({why}): check the broker's URL and the network"),
)
NO_ANSWER = "{at} closed the connection without an answer: is it an MQTT broker, with or without TLS as in its URL?"
CLOSED = (
    "the broker closed the connection: it has ended, or another node uses our id, or a message was too large for it"
)


def refusal(code: str, username: str | None, client_id: str) -> str:
    """Return why the broker refused us.

    Args:
        code: Name of the CONNACK code.
        username: The user that we have logged in as; None when we have not.
        client_id: Our client id.
    """
    if code in LOGIN and username is None:
        return "the broker wants a user name and a password: configure them"
    if code in LOGIN:
        return f'the broker refused the login of user "{username}": check the user name and the password'
    return REFUSALS.get(code, OTHER_REFUSAL).format(client_id=client_id, code=code)


def unreachable(error: Exception, host: str, port: int) -> str:
    """Return why no connection could be made to `host`, or why it broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error.verify_message, host)
    words = next(words for kind, words in UNREACHABLE if isinstance(error, kind))
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return words.format(at=f"{host}:{port}", host=host, why=why)


def no_websocket(error: Exception, url: str) -> str:
    """Return why a server did not speak WebSocket with us."""
    return f"{url} does not serve MQTT over WebSocket ({error}): check port and path of the broker's URL"


def _untrusted(why: str, host: str) -> str:
    if "mismatch" in why:
        return f"the broker's certificate is for another name than {host}: use its name in the URL ({why})"
    if "expired" in why or "not yet valid" in why:
        return f"the broker's certificate is not valid now: renew it, or set the clock ({why})"
    return f"the broker's certificate is not trusted: name the file with its CA's certificate as ca_file ({why})"


def lost(code: str, *, taken: bool, host: str, port: int) -> str:
    """Return why a connection ended.

    Args:
        code: paho's name for it.
        taken: Whether the broker had taken us in.
        host: The broker's host.
        port: Its port.
    """
    at = f"{host}:{port}"
    if code == "Keep alive timeout":
        return f"{at} does not answer any more: check the network"
    if code == "Protocol error":
        return f"{at} sent what is not MQTT"
    return CLOSED if taken else NO_ANSWER.format(at=at)
