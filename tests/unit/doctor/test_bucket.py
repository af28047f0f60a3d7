"""What `doctor` says of the bucket of a depot."""

import pytest

from caroni_edge.config.model import BucketConfig
from caroni_edge.doctor.bucket import HINT, of_bucket, of_objects
from caroni_edge.doctor.findings import Finding, Level
from caroni_edge.objects.objects import Object

URL = "s3://lab/d1"
A, B = Object("a" * 64, 3_000_000), Object("b" * 64, 2_000_000)


@pytest.mark.parametrize(
    ("known", "here", "level", "said"),
    [
        ([], [], Level.OK, "s3://lab/d1 has the 0 large files, 0 MB"),
        ([A, B], [B, A], Level.OK, "s3://lab/d1 has the 2 large files, 5 MB"),
        ([A, B], [B], Level.WARNING, f"1 of 2 large files, 5 MB, are not in {URL}, or have another size: {A.id}"),
        ([A], [Object("a" * 64, 7)], Level.WARNING, f"1 of 1 large files, 3 MB, are not in {URL}, or have another"),
        ([A], [A, B], Level.WARNING, "s3://lab/d1 has the 1 large files, 3 MB, and 1 beside that no row names"),
    ],
)
def test_the_bucket_is_compared_with_the_rows(known: list[Object], here: list[Object], level: Level, said: str) -> None:
    found = of_objects(URL, known, here)
    assert (found.level, found.sentence.startswith(said)) == (level, True)


def test_trouble_is_said_where_there_is_a_bucket() -> None:
    config = BucketConfig(url=URL)
    assert list(of_bucket(config, "it does not answer")) == [
        Finding("bucket", Level.WARNING, "s3://lab/d1 cannot be used: it does not answer", HINT)
    ]
    assert [*of_bucket(config, ""), *of_bucket(None, "it does not answer")] == []
