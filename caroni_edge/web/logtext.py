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
    data: bytes, offset: int, state: State, *, is_cut: bool = False, is_waiting: bool = False, has_begun: bool = True
) -> Response[str]:
    """Answer with the part of a log that begins at `offset`.

    Args:
        data: The part.
        offset: In bytes.
        state: Whether that is all.
        is_cut: There is more, which will not come.
        is_waiting: The agent was asked for more, and has not answered yet.
        has_begun: The job has; before that there is nothing.
    """
    text, length = decode(data, is_end=state == "complete")
    headers = {"Caroni-Log": state, "Caroni-Log-Offset": str(offset), "Caroni-Log-Next": str(offset + length)}
    if is_cut:
        headers["Caroni-Log-Cut"] = "the agent keeps the rest"
    if is_waiting:
        headers["Caroni-Log-Waiting"] = "the agent has not answered yet"
    if not has_begun:
        headers["Caroni-Log-Begun"] = "no"
    return Response(text, headers=headers, media_type=MediaType.TEXT)
