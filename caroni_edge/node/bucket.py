"""A bucket of an S3-compatible store, by fsspec: objects are put, read in ranges and deleted, under their hashes.

A sign lies beside them, which says whose they are. Without it this is another bucket, or an empty one, and that it does
not have an object says nothing of that object.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from caroni_edge.config.model import BucketConfig, NodeConfig
from caroni_edge.objects.disk import OBJECTS
from caroni_edge.objects.objects import Object, parse_id
from caroni_edge.values.json import shown

log = logging.getLogger(__name__)

SIGN = "caroni-edge-depot"
MISSING = 'what serves s3:// is not installed: pip install "caroni-edge[s3]"'
CONNECT_WITHIN, SILENT_MAX, ANSWER_WITHIN = "5s", "30s", "300s"
ENDPOINT = "AWS_ENDPOINT_URL"
SIGN_MAX_BYTES = 200
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]{0,40})")


class BucketUnusable(Exception):
    """The bucket cannot be used now; the text says why, for people. It says nothing of any object."""


class NotThere(Exception):
    """The bucket is the right one, and does not have an object."""


class Bucket:
    """The objects of one depot in its bucket. Any thread may use it."""

    def __init__(self, config: BucketConfig, owner: str) -> None:
        """Use it from the first call on.

        Args:
            config: Where it is, and how it may be used.
            owner: Whose it is.
        """
        self._config, self._owner = config, owner
        self._files: Any = None
        self._sign = f"{config.path}/{SIGN}"
        self._bucket = config.path.partition("/")[0]

    def claim(self) -> None:
        """See that it is this depot's; one that is nobody's becomes it.

        Raises:
            BucketUnusable: It is another one's, or cannot be used.
        """
        try:
            self._check(self._read_sign())
        except FileNotFoundError:
            with suppress(FileNotFoundError), self._words():
                self._opened().pipe_file(self._sign, self._owner.encode())
            self.confirm()
            log.info("%s is used from now on", self._config.url, extra={"action": "bucket_claimed"})

    def try_out(self) -> None:
        """See that it can be used, and change nothing; one that is nobody's may be.

        Raises:
            BucketUnusable: It is another depot's, or cannot be used.
        """
        with suppress(FileNotFoundError):
            self._check(self._read_sign())

    def put(self, found: Object, path: str) -> None:
        """Put an object there that lies at a path; it is there as a whole, or not at all.

        Raises:
            BucketUnusable: It cannot be put.
            OSError: It cannot be read.
        """
        with open(path, "rb"):
            pass  # what is not here is not to be taken for what is not there
        try:
            with self._words():
                self._opened().put_file(path, self._path(found.sha256))
            size = self.size_of(found)
        except FileNotFoundError:
            self.confirm()
            raise BucketUnusable("it takes nothing") from None
        except NotThere:
            raise BucketUnusable("it does not have what it has just taken") from None
        if size != found.size:
            raise BucketUnusable("it does not have all of what it has just taken")

    def size_of(self, found: Object) -> int:
        """Return how many bytes an object has there.

        Raises:
            NotThere: It is not there.
            BucketUnusable: It cannot be looked at now.
        """
        try:
            with self._words():
                return int(self._opened().info(self._path(found.sha256))["size"])
        except FileNotFoundError:
            self.confirm()
            raise NotThere from None

    def read(self, found: Object, begin: int, end: int) -> bytes:
        """Return a range of an object.

        Raises:
            NotThere: It is not there.
            BucketUnusable: It cannot be had now.
        """
        try:
            with self._words():
                content: bytes = self._opened().cat_file(self._path(found.sha256), start=begin, end=end)
                return bytes(content)
        except FileNotFoundError:
            self.confirm()
            raise NotThere from None

    def drop(self, sha256: str) -> None:
        """Delete an object, if it is there.

        Raises:
            BucketUnusable: It cannot be.
        """
        try:
            with self._words():
                self._opened().rm_file(self._path(sha256))
        except FileNotFoundError:
            self.confirm()

    def listed(self) -> Iterator[Object]:
        """Yield what lies there, by names and sizes.

        Raises:
            BucketUnusable: It cannot be listed.
        """
        self.confirm()
        with self._words():
            found = self._opened().find(f"{self._config.path}/{OBJECTS}/", detail=True)
        for path, about in found.items():
            name = path.rpartition("/")[2]
            if parse_id(f"sha256:{name}"):
                yield Object(name, about["size"])

    def confirm(self) -> None:
        """See that the bucket is the right one.

        Raises:
            BucketUnusable: It is not, or is not to be had.
        """
        try:
            said = self._read_sign()
        except FileNotFoundError:
            said_of = f"there is no bucket {self._bucket}, or this depot has put nothing under {self._config.url}"
            raise BucketUnusable(f"{said_of}: {SIGN} is not there") from None
        self._check(said)

    def _read_sign(self) -> str:
        with self._words():
            content: bytes = self._opened().cat_file(self._sign)
            return bytes(content[:SIGN_MAX_BYTES]).decode(errors="replace")

    def _check(self, said: str) -> None:
        if said != self._owner:
            raise BucketUnusable(f"{self._config.url} is used by {shown(said)}: each depot needs a prefix of its own")

    def _path(self, sha256: str) -> str:
        return f"{self._config.path}/{OBJECTS}/{sha256[:2]}/{sha256}"

    def _opened(self) -> Any:
        if self._files is None:
            self._files = _open(self._config)
        return self._files

    @contextmanager
    def _words(self) -> Iterator[None]:
        """Let all that goes wrong be a `BucketUnusable`, but for what is not there (`FileNotFoundError`)."""
        try:
            yield
        except (FileNotFoundError, BucketUnusable):
            raise
        except Exception as error:
            raise BucketUnusable(_said(error)) from error


def owner_of(config: NodeConfig) -> str:
    """Return whose a bucket is that a node uses, as its sign says it."""
    return f"{config.topic_root}/{config.name}"


def _open(config: BucketConfig) -> Any:
    """Return the file system of fsspec that has the bucket.

    Raises:
        BucketUnusable: What serves it is not installed.
    """
    try:
        from obstore.fsspec import FsspecStore  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        raise BucketUnusable(MISSING) from None
    given = {
        "endpoint": config.endpoint,
        "access_key_id": config.key_id,
        "secret_access_key": None if config.key is None else config.key.reveal(),
    }
    client: dict[str, Any] = {
        "allow_http": (config.endpoint or os.environ.get(ENDPOINT, "")).startswith("http://"),
        "connect_timeout": CONNECT_WITHIN,
        "read_timeout": SILENT_MAX,
        "timeout": ANSWER_WITHIN,
    }
    if config.ca_file is not None:
        client["root_certificate"] = config.ca_file.read_bytes()
    store: Any = FsspecStore
    # Who has failed is asked again by us, who say why.
    return store(
        "s3",
        config={name: value for name, value in given.items() if value is not None},
        client_options=client,
        retry_config={"max_retries": 1},
        skip_instance_cache=True,
    )


def _said(error: Exception) -> str:
    """Return what has gone wrong, for people; no time and no number that changes is in it."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, PermissionError) or name in ("PermissionDeniedError", "UnauthenticatedError"):
        return (
            "it does not take the key (files.bucket.key_id), or gives it too few rights: it must read, write and delete"
        )
    if "403 Forbidden" in text:
        return "it does not take the key (files.bucket.key_id), or gives it too few rights: it must list"
    if "169.254.169.254" in text:
        return "no key is given: set files.bucket.key_id, or AWS_ACCESS_KEY_ID"
    if "error sending request" in text or "timed out" in text:
        return "it does not answer (files.bucket.endpoint)"
    if (status := _STATUS.search(text)) is not None:
        return f"it answers {status[1].strip()}"
    log.info("the bucket: %s", text, extra={"action": "bucket_fault"})
    return f"it does not work ({name}); the log has more"
