"""Parameters of queries that mean the same wherever a route takes them."""

from typing import Annotated

from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most.")]

_AFTER = QueryParameter(description="What `next` of the page before says.")
AfterName = Annotated[str, _AFTER]
"""Where a page by rising names begins; the empty text: with the first one."""
AfterNumber = Annotated[int | None, _AFTER]
"""Where a page by falling numbers begins; None: with the newest one."""

LogOffset = Annotated[int, QueryParameter(ge=0, description="Leave out so many bytes (`Caroni-Log-Next`).")]
