"""Text of somebody else's, made harmless for where it goes."""


def on_one_line(text: str) -> str:
    """Return a text with everything escaped that could forge a line of a log or command a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def as_unicode(text: str) -> str:
    """Return a text with `?` for each half of a surrogate pair, which no UTF-8 (a message, the database) can hold."""
    return text.encode(errors="replace").decode()
