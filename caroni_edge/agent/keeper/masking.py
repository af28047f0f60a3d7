"""Secrets in what a job writes: each becomes `***` before it is on disk, however the text was cut into pieces.

What is looked for is each line of a secret that has `SHORTEST_BYTES` or more, as it stands, and as programs write such
a text without being asked to: inside JSON, a URL, HTML, a shell's quotes, or base64, as in the header of a login
(`Authorization: Basic …`), where it looks in one of three ways, by what stands before it. What a job turns round,
spells out or encrypts is not found: a mask is against mistakes, not against the job.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"***"
SHORTEST_BYTES = 8
"""Shorter lines stand in many other words, and are left alone."""

_HTML_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HTML = {**_HTML_TEXT, ord('"'): "&quot;", ord("'"): "&#x27;"}


class Mask:
    """Takes a text piece by piece, and gives it back without secrets; what could be the beginning of one waits.

    Where secrets overlap in the text, all of them together become one `***`.

    Attributes:
        has_found: A secret was there.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Look for secrets."""
        self._forms = tuple(sorted({form for secret in secrets for form in forms_of(secret)}))
        self._waiting = b""
        self._covered_bytes = 0  # of what waits: a secret holds them, and its mask was given already
        self.has_found = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the text so far can be given now."""
        text = self._waiting + data
        upto = self._open_from(text)
        given, covered = self._masked(text, upto)
        self._waiting, self._covered_bytes = text[upto:], max(0, covered - upto)
        return given

    def end(self) -> bytes:
        """Return the rest of the text, which has ended; the greater part of a secret is masked too."""
        text, covered = self._waiting, self._covered_bytes
        self._waiting, self._covered_bytes = b"", 0
        if len(text) >= SHORTEST_BYTES:
            self.has_found = True
            return b"" if covered else MASK
        return text[covered:]

    def _open_from(self, text: bytes) -> int:
        """Return where the first form may begin of which the text holds not all yet; its end where none does."""
        return min((_begins_at_end(form, text) for form in self._forms), default=len(text))

    def _masked(self, text: bytes, upto: int) -> tuple[bytes, int]:
        """Return the text up to there without secrets, and how far the last secret that begins there goes."""
        given, done, covered = bytearray(), self._covered_bytes, self._covered_bytes
        for begin, end in sorted(self._found(text, upto)):
            self.has_found = True
            if begin >= covered:
                given += text[done:begin] + MASK
            covered = done = max(covered, end)
        return bytes(given + text[done:upto]), covered

    def _found(self, text: bytes, upto: int) -> Iterator[tuple[int, int]]:
        """Yield where each form begins and ends that is in the text, and begins before `upto`."""
        for form in self._forms:
            begin = text.find(form)
            while 0 <= begin < upto:
                yield begin, begin + len(form)
                begin = text.find(form, begin + 1)


def masked(secrets: Iterable[str], text: bytes) -> bytes:
    """Return a whole text without secrets."""
    mask = Mask(secrets)
    return mask.feed(text) + mask.end()


def forms_of(secret: str) -> Iterator[bytes]:
    """Yield what is looked for of a secret."""
    for line in secret.splitlines():
        if len(line.encode()) >= SHORTEST_BYTES:
            yield from (form.encode() for form in _written(line))
            yield from _in_base64(line.encode())


def _written(line: str) -> Iterator[str]:
    yield line
    for is_ascii in (True, False):
        text = json.dumps(line, ensure_ascii=is_ascii)[1:-1]
        yield from (text, text.replace("/", "\\/"))
    yield from (quote(line), quote(line, safe=""), quote_plus(line))
    yield from (line.translate(_HTML_TEXT), line.translate(_HTML))
    yield line.replace("'", "'\\''")


def _in_base64(line: bytes) -> Iterator[bytes]:
    """Yield what base64 has of a line in each case, whatever stands before and behind it."""
    for before in range(3):
        begin, end = -(-before * 8 // 6), (before + len(line)) * 8 // 6
        text = base64.b64encode(bytes(before) + line)[begin:end]
        yield from (text, text.replace(b"+", b"-").replace(b"/", b"_"))


def _begins_at_end(form: bytes, text: bytes) -> int:
    """Return where in a text a form begins that the text holds not all of; its end where none does."""
    begin = text.find(form[:1], max(0, len(text) - len(form) + 1))
    while begin >= 0:
        if form.startswith(text[begin:]):
            return begin
        begin = text.find(form[:1], begin + 1)
    return len(text)
