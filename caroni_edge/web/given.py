"""Gives objects straight to other nodes, by https: to who shows a ticket, as over the broker, and to nobody else."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import BoundedSemaphore
from time import monotonic
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from caroni_edge.config import NodeConfig
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import parse_id, sha256_of
from caroni_edge.objects.store.rights import StoredRights
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.objects.transfer.ways import PATH, Claim
from caroni_edge.web.auth import OPEN
from caroni_edge.web.filebody import ANY_BYTES, PIECE_BYTES, file_answer
from caroni_edge.web.problems import Problem
from caroni_edge.web.readers import Readers

GIVEN_MAX = 8
"""So many objects are given at a time."""
BUSY_FOR_S = 5
PIECES_IN_S = 4


class Giving:
    """What a node gives by its web server."""

    def __init__(
        self,
        readers: Readers,
        files: ObjectFiles,
        flow: Flow,
        peer_of: Callable[[str], str] = str,
    ) -> None:
        """Prepare.

        Args:
            readers: Connections to the node's database, which says whose objects are.
            files: The objects.
            flow: How fast they may leave.
            peer_of: Under which name the keys of a manager are kept here.
        """
        self._readers, self._files, self._flow, self._peer_of = readers, files, flow, peer_of
        self._free = BoundedSemaphore(GIVEN_MAX)

    def answer(self, name: str, headers: Mapping[str, str]) -> Stream:
        """Return an object, or the range of it that is asked for.

        Raises:
            Problem: 401, no ticket opens that; 404, its workflow has no such object here; 503, too much is given now,
                or it does not lie here now.
        """
        claim, wanted = Claim.of(headers), parse_id(f"sha256:{name}")
        with self._readers.open() as conn:
            rights = StoredRights(conn, self._peer_of)
            keys = None if claim is None else rights.keys(claim.manager)
            if (
                claim is None
                or keys is None
                or not keys.admit(claim.ticket, claim.generation, claim.workflow, claim.asker)
            ):
                raise Problem(401, "no ticket that is in force opens this")
            size = None if wanted is None else rights.size(claim.manager, claim.workflow, sha256_of(wanted))
        if wanted is None or size is None:
            raise Problem(404, "the workflow has no such file here")
        if self._files.is_away(wanted):
            self._files.let_come_back(wanted)
            said = "it must come back from this depot's bucket first: come again"
            raise Problem(503, said, headers={"Retry-After": str(BUSY_FOR_S)})
        if not self._free.acquire(blocking=False):
            said = f"{GIVEN_MAX} files are given at a time: come again"
            raise Problem(503, said, headers={"Retry-After": str(BUSY_FOR_S)})
        pace = _Pace(self._flow, self._free.release)
        try:
            return file_answer(Path(self._files.path(wanted)), name, headers, {}, ANY_BYTES, pace)
        except BaseException:
            pace.end()
            raise


def giving(
    config: NodeConfig,
    readers: Readers,
    files: ObjectFiles,
    flow: Flow,
    peer_of: Callable[[str], str] = str,
) -> Giving | None:
    """Return what a node gives by its web server; None where its owner does not want that (`files.url`)."""
    return None if config.files.url is None else Giving(readers, files, flow, peer_of)


class _Pace:
    """How fast one object leaves."""

    def __init__(self, flow: Flow, end: Callable[[], None]) -> None:
        self._flow, self._end = flow, end
        rate = flow.up.rate
        self.piece_bytes = PIECE_BYTES if rate is None else max(1, min(PIECE_BYTES, int(rate / PIECES_IN_S)))

    async def wait(self, size_bytes: int) -> None:
        """Wait until so many bytes may leave."""
        while wait_s := self._flow.up.wait_s(monotonic()):
            await asyncio.sleep(wait_s)
        self._flow.up.take(size_bytes, monotonic())
        self._flow.gave_bytes += size_bytes

    def end(self) -> None:
        """Nothing more of it leaves."""
        self._end()


@get(PATH + "{name:str}", sync_to_thread=True, media_type=ANY_BYTES, opt={OPEN: True}, tags=["files"])
def give_object(request: Request[Any, Any, Any], giving: NamedDependency[Giving | None], name: FromPath[str]) -> Stream:
    """Give a file to another node, by its hash: 64 hexadecimal digits; `Range` is served.

    Its headers `Caroni-Manager`, `Caroni-Workflow`, `Caroni-Asker`, `Caroni-Generation` and `Caroni-Ticket` say what an
    Ask over the broker says. Served where `files.url` is set.
    """
    if giving is None:
        raise Problem(401, "no ticket opens this: this node gives files over the broker alone (files.url)")
    return giving.answer(name, request.headers)


ROUTES = (give_object,)
