"""Secrets: texts that must not come into a log, and the files that hold them."""

from pathlib import Path

SECRET_MAX_BYTES = 4096


class Secret:
    """A text that must not come into a log: `str` and `repr` hide it, `reveal` does not."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, to be sent or compared and never to be shown."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_secret(path: Path) -> Secret:
    """Return the secret that a file holds, which is its only line.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no secret; the message says why, with the file as its subject.
    """
    with path.open("rb") as file:
        data = file.read(SECRET_MAX_BYTES + 1)
    if len(data) > SECRET_MAX_BYTES:
        raise ValueError(f"is too large for a secret: at most {SECRET_MAX_BYTES} bytes")
    try:
        line = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not line or "\n" in line:
        raise ValueError(f"{'has several lines' if line else 'is empty'}: it must hold the secret on one line")
    return Secret(line)
