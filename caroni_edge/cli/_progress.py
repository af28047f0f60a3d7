"""How far a file is that is sent or fetched: a bar on a terminal, elsewhere a line when it is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._output import is_terminal, say

Advance = Callable[[int], None]


@contextmanager
def progress(name: str, size: int, done: str) -> Iterator[Advance]:
    """Show on standard error how far a file is, as long as the context is open.

    Args:
        name: Of the file.
        size: How many bytes it has.
        done: What is said of it at the end.

    Yields:
        What is called with each number of bytes that were done.
    """
    if not is_terminal(err=True):
        yield lambda _bytes: None
    else:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task(on_one_line(name), total=size)
            yield lambda bytes_done: shown.advance(task, bytes_done)
    say(f"{name}: {size} bytes {done}", err=True)
