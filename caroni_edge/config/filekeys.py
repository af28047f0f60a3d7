"""The keys about large files, of both configuration files and of an agent's alone."""

from typing import Final

from caroni_edge.config import kinds
from caroni_edge.config.key import Key

FILES: Final = (
    Key(
        "files.up",
        kinds.RATE,
        "So much of large files may leave here in a second.",
        otherwise="as much as the line takes",
        example="1M",
        at_start=True,
    ),
    Key(
        "files.down",
        kinds.RATE,
        "So much of them may come.",
        otherwise="as much as the line takes",
        example="5M",
        at_start=True,
    ),
    Key("files.at_once", kinds.whole(1, 64), "So many of a manager come at a time.", default=2, at_start=True),
    Key(
        "files.when",
        kinds.HOURS,
        "In these hours alone they come, by the host's clock; what others fetch from here leaves at any time.",
        otherwise="always",
        example="22:00-06:00",
        at_start=True,
    ),
    Key(
        "files.hosts",
        kinds.HOSTS,
        "Hosts that files may be fetched from by http and https, of nodes too; without a port 80 and 443 are meant.",
        otherwise="none",
        example='[data.example.org, "*.example.com"]',
        at_start=True,
    ),
    Key(
        "files.ca_file",
        kinds.READABLE_FILE,
        "Certificates to trust when that is done, and by `doctor` when it looks at `files.url`.",
        otherwise="those of the system",
        example="/etc/caroni-edge/hosts-ca.pem",
        at_start=True,
    ),
    Key(
        "files.url",
        kinds.DIRECT_URL,
        "Where other nodes reach this one's page, if they may fetch files from it there, by tickets.",
        otherwise="files leave over the broker alone",
        example="https://a1.example.org:8443",
        at_start=True,
    ),
)

AGENT_FILES: Final = (
    Key(
        "files.store",
        kinds.SIZE,
        "How much all files in its store may take; the longest unused goes before another waits.",
        otherwise="what disk_floor leaves",
        example="50G",
    ),
    Key(
        "files.per_manager",
        kinds.SIZE,
        "How much of that the files of one manager may be.",
        otherwise="all of it",
        example="20G",
    ),
    Key(
        "files.depot",
        kinds.FLAG,
        "Whether managers that name this agent under `depots` may have large files kept here.",
        default=False,
    ),
    Key(
        "files.bucket.url",
        kinds.BUCKET_URL,
        "Where what a depot keeps is put too, by S3; each depot has a bucket, or a prefix in one, of its own.",
        otherwise="it lies on this host alone",
        example="s3://lab/depots/d1",
        at_start=True,
    ),
    Key(
        "files.bucket.endpoint",
        kinds.ENDPOINT_URL,
        "The server that has the bucket; its certificate is checked, by `files.ca_file` where that is given.",
        otherwise="what AWS_ENDPOINT_URL says, or AWS",
        example="https://minio.example.org:9000",
        at_start=True,
    ),
    Key(
        "files.bucket.key_id",
        kinds.TEXT,
        "By which access key the bucket is used.",
        otherwise="what the AWS_ variables of the environment, or of the host, give",
        example="depot-d1",
        at_start=True,
    ),
    Key("files.bucket.key", kinds.SECRET, "The secret of that key; better in a file.", otherwise="none", at_start=True),
    Key(
        "files.bucket.key_file",
        kinds.SECRET_FILE,
        "File that holds the secret.",
        gives="key",
        example="bucket-key",
        at_start=True,
    ),
)
