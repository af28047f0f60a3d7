"""Where ids and chance come from: the system in production, a seed in tests and simulation."""

import random
import secrets

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_BY_BYTE = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""A character for each byte, all of them equally often."""


class SystemChance:
    """Ids that nobody can guess or meet again (80 bits), and jitter."""

    def random(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        return random.random()  # noqa: S311 - jitter, no secret

    def new_id(self) -> str:
        """Return 16 characters of `a-z 2-7`."""
        return secrets.token_bytes(16).translate(_BY_BYTE).decode()


class SeededChance:
    """Numbers and ids that follow from a seed: a run with the same seed meets the same chance."""

    def __init__(self, seed: object) -> None:
        """Begin with a seed; seeds are the same if their texts (`str`) are."""
        self._random = random.Random(str(seed))  # noqa: S311 - meant to be foreseen

    def random(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        return self._random.random()

    def new_id(self) -> str:
        """Return 16 characters of `a-z 0-9`."""
        return "".join(self._random.choices(_ALPHABET, k=16))
