"""The files that a document may lead to: within the folders that are given, links included, and not without end."""

import os.path
import re
from dataclasses import dataclass, field
from pathlib import Path

from caroni_edge.documents.documents import Document, Problems, load, read_text

FILES_MAX = 1000
"""So many files may one template lead to."""

BYTES_MAX = 16 << 20
"""So many bytes may they have together."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class NotRead(ValueError):
    """A file that is not read; the message goes on behind its name."""


@dataclass
class Files:
    """Reads files, each once.

    Attributes:
        roots: The folders that no document leads out of; where one leads to counts, not what it says.
        known: What has been read, or why it could not be, by its path as documents name it; shared by all templates
            that are read together.
    """

    roots: tuple[Path, ...]
    known: dict[Path, Document | Problems] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._real_roots = [os.path.realpath(root) for root in self.roots]
        self._used: dict[Path, int] = {}

    def anew(self) -> "Files":
        """Return the same files for another template, with bounds of its own."""
        return Files(self.roots, self.known)

    def find(self, written: str, beside: Path) -> Path:
        """Return the file that a document names.

        Args:
            written: What the document says, without a `#part`.
            beside: The file that says so.

        Raises:
            NotRead: It is none, or lies outside.
        """
        if _SCHEME.match(written):
            raise NotRead("is not read over the network: put a copy beside this file, and name that")
        path = Path(os.path.normpath(beside.parent / written))
        if path in self.known:
            return path
        if "\0" not in written and not self._is_inside(path):
            raise NotRead(
                f"lies outside of {self._folders()}: put it there, or name its folder in `roots` of manager.yaml"
            )
        if not os.path.isfile(path):  # False where Path.is_file would raise
            raise NotRead(f"leads to nothing: there is no file {path}")
        return path

    def document(self, path: Path) -> Document:
        """Return the YAML file that `find` has found.

        Raises:
            Problems: It cannot be read, or is no YAML that we take.
            NotRead: This template has led to too many files.
        """
        if path not in self.known:
            try:
                self.known[path] = load(path)
            except Problems as problems:
                self.known[path] = problems
        found = self.known[path]
        self._count(path, 0 if isinstance(found, Problems) else len(found.text))
        if isinstance(found, Problems):
            raise found
        return found

    def text(self, path: Path) -> str:
        """Return what stands in the file that `find` has found.

        Raises:
            Problems: It cannot be read.
            NotRead: This template has led to too many files.
        """
        known = self.known.get(path)
        text = known.text if isinstance(known, Document) else read_text(path)
        self._count(path, len(text))
        return text

    def _count(self, path: Path, size: int) -> None:
        self._used[path] = size
        if len(self._used) > FILES_MAX:
            raise NotRead(f"is one file too many: a template leads to {FILES_MAX} files at most")
        if sum(self._used.values()) > BYTES_MAX:
            raise NotRead(f"makes it too much: the files that a template leads to have {BYTES_MAX} bytes at most")

    def _is_inside(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return any(os.path.commonpath((root, real)) == root for root in self._real_roots)

    def _folders(self) -> str:
        return " and ".join(map(str, self.roots))


def parts_of(reference: str) -> tuple[str, str]:
    """Return the file and the part of it that a reference such as `tools.cwl#sort` names; one of them may be empty."""
    file, _, part = reference.partition("#")
    return file, part


def local_name(written: str) -> str:
    """Return the last name of one that is written with what is around it, as in `#main/step/name` or `step/name`."""
    return written.rpartition("/")[2].rpartition("#")[2]
