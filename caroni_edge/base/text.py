"""Text of somebody else's, made to fit where it goes: onto a line, into UTF-8, into so many bytes."""

import re

_CHARACTER_MAX_BYTES = 4
_KEPT = ("\n", "\t")
_KEPT_SPLIT = re.compile("([\n\t])")


def on_one_line(text: str) -> str:
    """Return a text with everything escaped that could forge a line of a log or command a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def on_lines(text: str) -> str:
    """Return a text of several lines with everything escaped that could command a terminal; lines and tabs stay."""
    text = text.replace("\r\n", "\n")
    return "".join(piece if piece in _KEPT else on_one_line(piece) for piece in _KEPT_SPLIT.split(text))


def is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can hold a text: it has no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encoded(text: str) -> bytes:
    """Return a text as UTF-8, with `?` for each half of a surrogate pair."""
    return text.encode(errors="replace")


def as_unicode(text: str) -> str:
    """Return a text with `?` for each half of a surrogate pair, which no UTF-8 (a message, the database) can hold."""
    return text if is_unicode(text) else encoded(text).decode()


def tail(data: bytes, limit_bytes: int) -> str:
    """Return the end of a text that may be no UTF-8 in places.

    Args:
        data: The text, or what is left of it when its beginning is cut off.
        limit_bytes: Of `data`, no more than that is taken; a character that is cut thereby is left out.
    """
    taken = data[-limit_bytes:]
    if len(taken) < len(data):
        # The bytes of a character that follow its first look like 10xxxxxx.
        cut = next((at for at, byte in enumerate(taken[:_CHARACTER_MAX_BYTES]) if byte & 0xC0 != 0x80), 0)
        taken = taken[cut:]
    return taken.decode(errors="replace")
