"""The socket of a node's API in its state directory: for commands on the host, whose owner alone can open it.

A command that speaks by it needs no token, and cannot give one away: on a port anybody may listen while the node is
down, and in the state directory nobody else can.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.private import FILE_MODE

SOCKET = "api.sock"


class SocketUnusable(CaroniError):
    """The socket for commands on this host cannot be made: {reason}."""

    hint = (
        "Commands with --config do not work; look at what lies in its place, and at the file system. Then start anew."
    )


def directory_of(state_dir: Path) -> int:
    """Open a state directory, to name what is in it.

    Raises:
        OSError: It is not there, or not for us.
    """
    return os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def address(directory: int) -> str:
    """Return the address of the socket: its path may be longer than an address can be, and this is none."""
    return f"/proc/self/fd/{directory}/{SOCKET}"


def listen(state_dir: Path) -> socket.socket:
    """Listen on the socket; one that a killed node has left gives way, for only one node has a state directory.

    Raises:
        SocketUnusable: It cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = directory_of(state_dir)
        try:
            with suppress(FileNotFoundError):
                os.unlink(address(directory))
            os.fchmod(listener.fileno(), FILE_MODE)
            listener.bind(address(directory))
        finally:
            os.close(directory)
        listener.listen()
    except OSError as error:
        listener.close()
        raise SocketUnusable(str(state_dir / SOCKET), reason=error.strerror or error) from error
    return listener


def connect(state_dir: Path, timeout_s: float) -> socket.socket:
    """Connect to the node that has this state directory.

    Raises:
        OSError: There is none, or it is not for us.
    """
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connecting.settimeout(timeout_s)
    try:
        directory = directory_of(state_dir)
        try:
            connecting.connect(address(directory))
        finally:
            os.close(directory)
    except OSError:
        connecting.close()
        raise
    return connecting
