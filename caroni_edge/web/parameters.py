"""Parameters of queries that mean the same wherever a route takes them."""

from typing import Annotated, Literal

from litestar.params import PathParameter, QueryParameter

from caroni_edge.storage.rows import NEWEST

Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most.")]

NUMBER_MAX = NEWEST
"""No row, no attempt and no byte of a log has a greater number; SQLite could not hold 2^63."""

_AFTER = "What `next` of the page before says."
AfterName = Annotated[str, QueryParameter(description=_AFTER)]
"""Where a page by rising names begins; the empty text: with the first one."""
AfterNumber = Annotated[int | None, QueryParameter(ge=0, le=NUMBER_MAX, description=_AFTER)]
"""Where a page by falling numbers begins; None: with the newest one."""

LetterNumber = Annotated[int, PathParameter(ge=0, le=NUMBER_MAX, description="Number of a dead letter.")]

LogOffset = Annotated[
    int, QueryParameter(ge=0, le=NUMBER_MAX, description="Leave out so many bytes (`Caroni-Log-Next`).")
]
LogPart = Annotated[
    Literal["end", "whole"] | None,
    QueryParameter(description="The end of a long log; or all of it, which is fetched from the agent."),
]
LogSize = Annotated[
    int | None, QueryParameter(ge=1, le=NUMBER_MAX, description="So many bytes at most; otherwise what there is.")
]
AttemptNumber = Annotated[
    int | None, QueryParameter(ge=1, le=NUMBER_MAX, description="Log of this one, not of that which counts.")
]
