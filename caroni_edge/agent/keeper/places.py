"""Where a keeper finds its files: they have other names for it than for its jobs where it is in a box with them."""

import ctypes
import os
from typing import NamedTuple

_PR_SET_DUMPABLE = 4


class Places(NamedTuple):
    """The directories of a keeper.

    Attributes:
        state_dir: The agent's, as the keeper reaches it.
        home: The keeper's own, with its socket, its lock, and the list of what runs.
        seen: The agent's, as jobs see it: in a box an empty one, with the jobs' directories.
    """

    state_dir: str
    home: str
    seen: str

    @classmethod
    def unboxed(cls, state_dir: str, home: str = "") -> "Places":
        """Return those of a keeper without a box; `home` names its directory, where that is not the agent's own."""
        return cls(state_dir, os.path.join(state_dir, home), state_dir)

    @classmethod
    def boxed(cls, state_dir: str, descriptor: int, home: str) -> "Places":
        """Return those of a keeper in a box, where another directory is in the place of the agent's.

        Args:
            state_dir: The agent's, by its path; absolute.
            descriptor: That directory, opened outside the box.
            home: Name of the keeper's directory in it.
        """
        os.set_inheritable(descriptor, False)
        held = f"/proc/self/fd/{descriptor}"
        return cls(held, f"{held}/{home}", state_dir)


def be_private() -> None:
    """Keep processes of the same user from this one's memory, environment and descriptors (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
