"""What comes from other nodes: files are kept as they are, of directories the list is read before."""

import hashlib
from pathlib import Path

import pytest

from caroni_edge.agent.processes.fetches import Fetches
from caroni_edge.agent.processes.port import FetchedNoDirectory, JobNews, ObjectFetched
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.filework import FileWork
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Fetched, FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.values.directories import Entry, written

FILE = Object("a" * 64, 5)
LISTING = written([Entry("a", False, FILE), Entry("b", False, FILE)])


def told(tmp_path: Path, data: bytes, *, is_directory: bool = True) -> JobNews:
    """Let something come; return what is told of it."""
    said: list[JobNews] = []
    files = FileWork(ObjectFiles(tmp_path), said.append)
    fetches = Fetches(files, said.append)
    path = tmp_path / "come"
    path.write_bytes(data)
    found = Object(hashlib.sha256(data).hexdigest(), len(data))
    fetch = FetchId("m1", found.sha256)
    fetches.fetch(Want("m1", found, (), is_directory=is_directory))
    fetches.told(Fetched(fetch), path)
    files.put(files.close)
    files.run()
    [news] = said
    assert Path(files.store.path(found.id)).exists() is isinstance(news, ObjectFetched)
    return news


def test_with_the_list_of_a_directory_its_files_are_told(tmp_path: Path) -> None:
    news = told(tmp_path, LISTING)
    assert isinstance(news, ObjectFetched)
    assert news.files == (FILE,)


def test_a_file_is_not_read_as_a_list(tmp_path: Path) -> None:
    news = told(tmp_path, LISTING, is_directory=False)
    assert isinstance(news, ObjectFetched)
    assert news.files is None


@pytest.mark.parametrize("data", [b'[["../a",false,5,"sha256:' + b"a" * 64 + b'"]]', b"\0" * (9 << 20)])
def test_what_is_no_list_is_not_kept(tmp_path: Path, data: bytes) -> None:
    assert isinstance(told(tmp_path, data), FetchedNoDirectory)
