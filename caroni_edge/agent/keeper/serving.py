"""One keeper serves a directory: it holds a lock there, and listens on a socket."""

import fcntl
import os
import signal
import socket

from caroni_edge.agent.keeper import files

SOCKET = "keeper.sock"
LOCK = "keeper.lock"
LOCK_WAIT_S = 5.0


class Served(Exception):
    """Another keeper serves this directory."""


def lock() -> None:
    """Become the one keeper of the working directory, until this process ends.

    Raises:
        Served: There is one, and it does not end.
    """
    file = files.open_regular(LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _outlast_another(file)


def _outlast_another(file: int) -> None:
    """Wait for a keeper that holds the lock without serving: it is about to end, and has taken its socket away."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(SOCKET) == 0:
            raise Served
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LOCK_WAIT_S)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(*_: object) -> None:
    raise Served


def listen() -> socket.socket:
    """Listen on the socket in the working directory, whose path may be longer than a socket's address can be."""
    if os.path.lexists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    umask = os.umask(0o177)
    try:
        listener.bind(SOCKET)
    finally:
        os.umask(umask)
    listener.listen()
    return listener
