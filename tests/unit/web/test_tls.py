"""Who makes room at the door of a page that is encrypted."""

import asyncio
import socket
import ssl
from contextlib import ExitStack

import pytest

from caroni_edge.web import tls
from caroni_edge.web.tls import TlsDoor

WITHIN_S = 60.0


def test_strangers_who_have_all_come_at_once_make_room_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "SHAKING_MAX", 5)

    async def see_them_leave(mute: list[socket.socket], listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        door = TlsDoor(listener, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), asyncio.Protocol)
        door.open()
        for each in mute[:15]:
            assert await asyncio.wait_for(loop.sock_recv(each, 1), WITHIN_S) == b""
        for each in mute[15:]:
            with pytest.raises(BlockingIOError):
                each.recv(1)
        door.close()

    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=20))
        listener.setblocking(False)
        mute = [opened.enter_context(socket.create_connection(listener.getsockname())) for _ in range(20)]
        for each in mute:
            each.setblocking(False)
        asyncio.run(see_them_leave(mute, listener))
