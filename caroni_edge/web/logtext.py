"""The answer that brings a job's log: text from an offset on, and whether that is all."""

import codecs
from typing import Literal

from litestar import MediaType, Response

State = Literal["complete", "coming", "agent-away"]


def decode(data: bytes, *, is_end: bool) -> tuple[str, int]:
    """Return a piece of a log as text, and how many bytes that are.

    A character that has come in part only is left for the next time.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = decoder.decode(data, final=is_end)
    return text, len(data) - len(decoder.getstate()[0])


def log_answer(
    data: bytes,
    offset: int,
    state: State,
    *,
    is_cut: bool = False,
    is_waiting: bool = False,
    has_begun: bool = True,
    most: int | None = None,
    is_end: bool = False,
) -> Response[str]:
    """Answer with the part of a log that begins at `offset`.

    Args:
        data: The part.
        offset: In bytes.
        state: Whether that is all.
        is_cut: There is more, which will not come.
        is_waiting: The agent was asked for more, and has not answered yet.
        has_begun: The job has; before that there is nothing.
        most: So many bytes are answered at most; None: all.
        is_end: Of more than that the end is answered; otherwise the beginning, after which more comes.
    """
    if most is not None and len(data) > most:
        if is_end:
            data, offset = data[-most:], offset + len(data) - most
        else:
            data, state, is_cut = data[:most], "coming", False
    text, length = decode(data, is_end=state == "complete")
    headers = {"Caroni-Log": state, "Caroni-Log-Offset": str(offset), "Caroni-Log-Next": str(offset + length)}
    if is_cut:
        headers["Caroni-Log-Cut"] = "the agent keeps the rest"
    if is_waiting:
        headers["Caroni-Log-Waiting"] = "the agent has not answered yet"
    if not has_begun:
        headers["Caroni-Log-Begun"] = "no"
    return Response(text, headers=headers, media_type=MediaType.TEXT)
