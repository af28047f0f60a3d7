"""A small disk that can be filled to the last byte and freed again, where file systems may be mounted."""

import os
import subprocess
from pathlib import Path

BLOCK_BYTES = 1 << 20


class SmallDisk:
    """A file system in memory, of a fixed size."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path, self.size_bytes = path, size_bytes
        path.mkdir(parents=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "caroni-chaos", path], check=True, capture_output=True
        )

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("wb", buffering=0) as ballast:
            size_bytes = BLOCK_BYTES
            while size_bytes:
                try:
                    ballast.write(bytes(size_bytes))
                except OSError:
                    size_bytes //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it; what was on it is gone."""
        # Lazily: a process that ends may still have a file open there.
        subprocess.run(["umount", "--lazy", self.path], check=True, capture_output=True)


def mounts_allowed(directory: Path) -> bool:
    """Tell whether this process may mount file systems."""
    if os.geteuid() != 0:
        return False
    try:
        SmallDisk(directory, BLOCK_BYTES).close()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
