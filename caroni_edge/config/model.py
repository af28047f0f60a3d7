"""What a daemon knows of its configuration: checked values, seconds and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from caroni_edge.base.hosts import Host
from caroni_edge.config.automation import Rule, Schedule
from caroni_edge.config.broker_url import BrokerUrl
from caroni_edge.config.hours import ALWAYS, Hours
from caroni_edge.config.notify import Notify
from caroni_edge.config.secret import Secret

EVERYBODY = "*"
"""The key of `managers` that stands for all that are not named there."""


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """How the broker is reached.

    Attributes:
        urls: Where it listens; several are tried in turn.
        data_urls: Where it lets a login connect more than once, for what stands beside the node's own connection; empty
            for `urls`.
        username: For the broker; None connects without one.
        password: Belongs to `username`.
        ca_file: Certificates to trust; None means those of the system.
        cert_file: A certificate of our own, for brokers that ask for one.
        key_file: Its key; None where it is in `cert_file` as well.
    """

    urls: tuple[BrokerUrl, ...]
    data_urls: tuple[BrokerUrl, ...] = ()
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def url(self) -> str:
        """Where it listens, for people."""
        return ", ".join(map(str, self.urls))

    @property
    def tls(self) -> bool:
        """Whether there is an address with TLS."""
        return any(url.tls for url in (*self.urls, *self.data_urls))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebUser:
    """A person beside `username` who may log in to the page: a viewer sees all, an operator also changes things."""

    role: Literal["viewer", "operator"]
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The page and the API of a node.

    Attributes:
        host: Address to listen on.
        port: 0 takes any free one.
        username: Who may do all.
        password: None: the daemon makes one and keeps it in `state_dir/web-password`.
        token: Bearer token of the API; None: likewise, in `state_dir/web-token`.
        users: More people, by name.
        cert_file: Its certificate, with those above it; None: it is not encrypted.
        key_file: The certificate's key; None where it is in `cert_file` as well.
        trusted_proxies: Whose word counts on where a request came from.
        edit: Whether pages and API may change files: who edits a job type runs code on the host.
    """

    host: str
    port: int
    username: str
    password: Secret | None = None
    token: Secret | None = None
    users: Mapping[str, WebUser] = field(default_factory=dict)
    cert_file: Path | None = None
    key_file: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    edit: bool = True

    @property
    def listens(self) -> tuple[str, int, bool]:
        """What counts from the next start on: address, port, and whether it is encrypted."""
        return self.host, self.port, self.cert_file is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """How the node logs."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """A bucket of an S3-compatible store, in which a depot puts what it keeps.

    Attributes:
        url: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
        endpoint: The server that has it; None: as the environment says.
        key_id: The name of the key by which it is used; None: likewise.
        key: The key's secret.
        ca_file: Certificates to trust; None for those of the system.
    """

    url: str
    endpoint: str | None = None
    key_id: str | None = None
    key: Secret | None = None
    ca_file: Path | None = None

    @property
    def path(self) -> str:
        """The bucket and the prefix."""
        return self.url.removeprefix("s3://")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConfig:
    """How large files go over the broker.

    Attributes:
        up: So many bytes may leave in a second; None: as many as do.
        down: So many may come.
        at_once: So many files of a manager come at a time.
        when: In these hours they come.
        hosts: Hosts that files may be fetched from, those of other nodes too.
        url: Where other nodes reach this one's page, so that they may fetch from it; None: over the broker alone.
        ca_file: Certificates to trust when that is done; None for those of the system.
        bucket: Where a depot puts what it keeps; None: it lies here alone.
    """

    up: int | None = None
    down: int | None = None
    at_once: int = 2
    when: Hours = ALWAYS
    hosts: tuple[Host, ...] = ()
    ca_file: Path | None = None
    url: str | None = None
    bucket: BucketConfig | None = None


class Setting(NamedTuple):
    """A setting that is in effect.

    Attributes:
        key: Its name, dotted.
        value: As it stands in the file; of a secret only that there is one.
        source: `FILE:LINE`, `environment NAME` or `default`.
    """

    key: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What managers and agents have in common.

    Attributes:
        id: The node's name, a topic segment.
        path: The file that was read.
        state_dir: Where the node keeps its database and all else that must last.
        broker: How the broker is reached.
        topic_root: First segment of all topics.
        forget_after_s: A peer not heard of for so long is forgotten; None: never.
        disk_floor_bytes: With less free space than this the node takes no new work.
        web: The page and the API; None: off.
        log: How the node logs.
        files: How large files come and go.
        settings: All that is in effect, for people: where it comes from, and no secret.
        secret_files: Files beside its own that it names, and that hold secrets and keys.
    """

    role: ClassVar[Literal["managers", "agents"]]

    id: str
    path: Path
    state_dir: Path
    broker: BrokerConfig
    topic_root: str
    forget_after_s: float | None
    disk_floor_bytes: int
    web: WebConfig | None
    log: LogConfig
    files: FilesConfig = FilesConfig()
    settings: tuple[Setting, ...] = field(default=(), compare=False, repr=False)
    secret_files: tuple[Path, ...] = ()

    @property
    def listens(self) -> tuple[str, int, bool] | None:
        """What of `web` counts from the next start on; None where it is off."""
        return self.web.listens if self.web else None

    @property
    def name(self) -> str:
        """`managers/m1`, for logs and people."""
        return f"{self.role}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerConfig(NodeConfig):
    """The configuration of a workflow manager.

    Attributes:
        templates: Directory of the workflow templates.
        roots: Further directories of files that templates may lead to.
        attempts: Attempts that a step has.
        retry_delay_s: Wait before the second attempt; doubles to a minute.
        lost_after_s: Silence after which an agent's jobs are given to others; None: never.
        stalled_after_s: A workflow is stalled when nobody serves a step of it for so long.
        priority_max: The greatest priority that a trigger may ask for.
        waiting_workflows: With so many workflows that have not ended no other is started.
        waiting_bytes: No workflow is started either that would make their inputs together larger than this.
        max_live_steps: Steps that agents have at a time; None: no limit.
        reply_to: Filters of the topics that a `reply_to` may be beside those below `{root}/replies/`.
        retention_s: How long finished workflows are kept; None: for ever.
        trusted: The agents that alone may have jobs of a type; everybody may have those of types not named.
        rules: By which messages on any topic start workflows.
        schedules: By which the clock does.
        notify: Who is told of what.
        silent_after_s: An agent that is away for so long is called silent.
        people: What those may do who ask over the broker, by name; None: nobody is answered there.
        files_store_bytes: How much the files may take on disk that people upload, and copies of those they download.
        copies: So many places a large file is to have, where its template says nothing.
        depots: The agents that may be asked to keep files that jobs elsewhere have made.
    """

    role: ClassVar[Literal["managers", "agents"]] = "managers"

    templates: Path
    roots: tuple[Path, ...]
    attempts: int
    retry_delay_s: float
    lost_after_s: float | None
    stalled_after_s: float
    priority_max: int
    waiting_workflows: int
    waiting_bytes: int
    max_live_steps: int | None
    reply_to: tuple[str, ...]
    retention_s: float | None
    trusted: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    notify: "tuple[Notify, ...]" = ()
    silent_after_s: float = 600.0
    people: Mapping[str, Literal["viewer", "operator"]] | None = None
    files_store_bytes: int = 10 << 30
    copies: int = 1
    depots: tuple[str, ...] = ()

    def trusts(self, agent: str, job_type: str) -> bool:
        """Tell whether an agent may have jobs of a type."""
        return agent in self.trusted.get(job_type, (agent,))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig(NodeConfig):
    """The configuration of an agent.

    Attributes:
        job_types: Directory of the job types.
        slots: Jobs that run at a time.
        backlog: Ready jobs kept beside those that run.
        backlog_most: As many where they are short; less than `backlog`: there are never more.
        pending: Jobs kept whose data is not there yet.
        pending_most: As many where they are short, likewise.
        retention_s: How long finished jobs are kept; None: for ever.
        retention_bytes: How much finished jobs may take on disk; None: no bound.
        managers: Who may send work here, with the weight of its share; `*` stands for those not named.
        sandbox: Whether jobs are locked into boxes.
        labels: What this host is, by name.
        resources: How much of what jobs may need is here, by name.
        files_store_bytes: How much all files in the store may take; None: what `disk_floor_bytes` leaves.
        files_per_manager_bytes: How much of that those of one manager may be; None: all of it.
        depot: Whether managers may have files kept here that jobs elsewhere have made.
    """

    role: ClassVar[Literal["managers", "agents"]] = "agents"

    job_types: Path
    slots: int
    backlog: int
    backlog_most: int
    pending: int
    pending_most: int
    retention_s: float | None
    retention_bytes: int | None
    managers: Mapping[str, float]
    sandbox: Literal["preferred", "required", "off"] = "preferred"
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    files_store_bytes: int | None = None
    files_per_manager_bytes: int | None = None
    depot: bool = False

    @property
    def serves_all(self) -> bool:
        """Whether every manager may send work here."""
        return EVERYBODY in self.managers

    def serves(self, manager: str) -> bool:
        """Tell whether a manager may send work here."""
        return self.weight_of(manager) is not None

    def weight_of(self, manager: str) -> float | None:
        """Return the weight of a manager's share, or None when it is not served."""
        return self.managers.get(manager, self.managers.get(EVERYBODY))
