"""An S3 server as a process of its own (moto's, with its objects in memory), and the line to it, which can be cut."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.brokers import find
from tests.chaos.network import Line, lines
from tests.support import HTTP, free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "lab"


class S3Server:
    """A server with an empty bucket; no key opens it in a wrong way before `guard`.

    Attributes:
        line: How agents reach it.
    """

    def __init__(self, directory: Path, line: Line, port: int) -> None:
        self._direct = f"http://127.0.0.1:{port}"
        self.line = line
        program = find("moto_server", "moto (tools/setup.sh test)", first=str(ROOT / "build" / "s3" / "bin"))
        with (directory / "s3.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
        wait_until(self._answers, what="the S3 server", every_s=0.1)
        HTTP.put(f"{self._direct}/{BUCKET}").raise_for_status()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the S3 server has ended"
        try:
            return HTTP.get(self._direct).status_code < 500
        except httpx.HTTPError:
            return False

    @property
    def url(self) -> str:
        """Where agents reach it."""
        return f"http://{self.line.host}:{self.line.port}"

    def settings(self, prefix: str = "d1") -> dict[str, str]:
        """Return `files.bucket` of a depot."""
        return {"url": f"s3://{BUCKET}/{prefix}", "endpoint": self.url, "key_id": "test", "key": "test"}

    def _files(self) -> Any:
        """Return what lies there, past the line."""
        from obstore.fsspec import FsspecStore  # noqa: PLC0415 - an extra

        keys = {"endpoint": self._direct, "access_key_id": "test", "secret_access_key": "test"}
        store: Any = FsspecStore
        return store("s3", config=keys, client_options={"allow_http": True}, skip_instance_cache=True)

    def names(self, prefix: str = "d1") -> list[str]:
        """Return the hashes of the objects that lie there."""
        return [path.rpartition("/")[2] for path in self._files().find(f"{BUCKET}/{prefix}/objects/")]

    def flip(self, sha256: str) -> None:
        """Let a byte of an object be another one."""
        self._change(sha256, lambda content: content[:-1] + bytes([content[-1] ^ 1]))

    def cut_short(self, sha256: str) -> None:
        """Let the end of an object be missing."""
        self._change(sha256, lambda content: content[:-1])

    def _change(self, sha256: str, change: Callable[[bytes], bytes]) -> None:
        files, path = self._files(), _path(sha256)
        files.pipe_file(path, change(bytes(files.cat_file(path))))

    def delete(self, sha256: str) -> None:
        """Delete an object behind the depot's back."""
        self._files().rm_file(_path(sha256))

    def wipe(self) -> None:
        """Lose all, and have an empty bucket of the same name."""
        HTTP.post(f"{self._direct}/moto-api/reset").raise_for_status()
        HTTP.put(f"{self._direct}/{BUCKET}").raise_for_status()

    def guard(self, *, on: bool = True) -> None:
        """Refuse whoever has no key that was made, or let everybody in."""
        asked = {"content": b"0" if on else b"inf", "headers": {"Content-Type": "text/plain"}}
        HTTP.post(f"{self._direct}/moto-api/reset-auth", **asked).raise_for_status()  # type: ignore[arg-type]

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(60)


def _path(sha256: str) -> str:
    return f"{BUCKET}/d1/objects/{sha256[:2]}/{sha256}"


@contextmanager
def running_s3(directory: Path) -> Iterator[S3Server]:
    """Run a server behind a line of its own."""
    port = free_port()
    with lines(port) as make_line:
        server = S3Server(directory, make_line("127.0.0.1"), port)
        try:
            yield server
        finally:
            server.end()
