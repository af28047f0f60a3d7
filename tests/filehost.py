"""A host of files on loopback, which a test lets behave well or badly."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus
from typing import Any


class FileHost(http.server.ThreadingHTTPServer):
    """Gives what `files` has, by path; by ranges, with entity tags.

    Attributes:
        files: The bytes of each path.
        asked: The headers of each request, with its path as `:path`.
        answers: What is to be answered in the place of the next files: a status and headers.
        cuts: After so many bytes the next answers end.
        tagged: Whether files have entity tags.
        sized: Whether it says how large they are.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.files: dict[str, bytes] = {}
        self.asked: list[Message] = []
        self.answers: list[tuple[HTTPStatus, dict[str, str]]] = []
        self.cuts: list[int] = []
        self.tagged = self.sized = True
        self.scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def url(self, path: str) -> str:
        return f"{self.scheme}://{self.authority}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asks may go away at any moment."""


class _Asked(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileHost

    def do_GET(self) -> None:
        self.headers[":path"] = self.path
        self.server.asked.append(self.headers)
        if self.server.answers:
            status, headers = self.server.answers.pop(0)
            self._head(status, {"Content-Length": "0", **headers})
            return
        found = self.server.files.get(self.path)
        if found is None:
            self._head(HTTPStatus.NOT_FOUND, {"Content-Length": "0"})
            return
        begin, end, tag = 0, len(found), f'"{hash(found)}"'
        is_part = "Range" in self.headers and self.headers.get("If-Range", tag) == tag
        if is_part:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            begin, end = int(first), int(last) + 1 if last else end
        headers = {"ETag": tag} if self.server.tagged else {}
        if self.server.sized:
            headers["Content-Length"] = str(end - begin)
        if is_part:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(found)}"
        self._head(HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK, headers)
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(found[begin:end][:cut])
        self.close_connection = cut is not None or not self.server.sized

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Nobody reads it."""


@contextmanager
def file_host(context: ssl.SSLContext | None = None) -> Iterator[FileHost]:
    """Serve files until the end of the block."""
    host = FileHost(context)
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        thread.join()
        host.server_close()
