"""The topics: made and read in one place, so that nothing unchecked becomes one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from caroni_edge.base.text import encoded
from caroni_edge.protocol.fields import is_segment

Role = Literal["managers", "agents"]
OTHER: dict[Role, Role] = {"managers": "agents", "agents": "managers"}
SUBMIT = "submit"
"""In the place of a role, in topics of objects: a command that gives files to the manager that it submits to."""
REPLY_TOPIC_MAX_BYTES = 200
FILTER_MAX_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Inbox:
    """A frame for us from the node `sender`."""

    sender: str


@dataclass(frozen=True, slots=True)
class Triggers:
    """Somebody starts a workflow."""


@dataclass(frozen=True, slots=True)
class PresenceOf:
    """The presence of a node."""

    role: Role
    node: str


@dataclass(frozen=True, slots=True)
class Request:
    """A manager's demand for a job type."""

    job_type: str
    manager: str


@dataclass(frozen=True, slots=True)
class QuestionOf:
    """A person asks this manager something."""

    person: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A node asks this one for bytes of an object."""

    role: Role
    asker: str


@dataclass(frozen=True, slots=True)
class Answered:
    """Who holds an object answers this node: by some of its bytes, or by a No. `role`: of a node, or `submit`."""

    role: str
    holder: str


Topic = Inbox | Triggers | PresenceOf | Request | QuestionOf


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node.

    Attributes:
        root: First segment of all.
        role: What the node is.
        node: Its id.
    """

    root: str
    role: Role
    node: str

    @property
    def client_id(self) -> str:
        """MQTT client id; two nodes with one id cut each other off."""
        return f"{self.root}-{self.role}-{self.node}"

    @property
    def name(self) -> str:
        """`managers/m1`, for logs and people."""
        return f"{self.role}/{self.node}"

    @property
    def presence(self) -> str:
        """Where the node says that it is there."""
        return f"{self.root}/presence/{self.role}/{self.node}"

    @property
    def presence_of_peers(self) -> str:
        """Filter for the presence of all nodes of the other role."""
        return f"{self.root}/presence/{OTHER[self.role]}/+"

    @property
    def inboxes(self) -> str:
        """Filter for the frames to this node."""
        return f"{self.root}/{self.role}/{self.node}/inbox/{OTHER[self.role]}/+"

    @property
    def doctor(self) -> str:
        """Where `caroni-edge doctor` says something only to hear it itself."""
        return f"{self.root}/doctor/{self.role}/{self.node}"

    @property
    def rules_client_id(self) -> str:
        """How the MQTT client id begins of the session by which a manager hears what its rules look at."""
        return f"{self.root}/managers/{self.node}/triggers"

    @property
    def triggers(self) -> str:
        """Where workflows are started."""
        return f"{self.root}/managers/{self.node}/workflows"

    @property
    def of_people(self) -> tuple[str, ...]:
        """How the topics begin by which people ask this node for something."""
        base = f"{self.root}/managers/{self.node}"
        return (f"{base}/workflows", f"{base}/ask/") if self.role == "managers" else ()

    @property
    def questions(self) -> str:
        """Filter for what people ask this manager."""
        return self.question_of("+")

    def question_of(self, person: str) -> str:
        """Where a person asks this manager; a broker that knows people lets nobody else write there."""
        return f"{self.root}/managers/{self.node}/ask/{person}"

    def reply_to(self, person: str, nonce: str) -> str:
        """Where a person gets an answer; the person's own replies lie below `{root}/replies/{person}`."""
        return f"{self.root}/replies/{person}/{nonce}"

    @property
    def data_client_id(self) -> str:
        """MQTT client id of the connection for the bytes of objects; no node's own one has a slash."""
        return f"{self.root}/{self.role}/{self.node}/data"

    @property
    def asks(self) -> str:
        """Filter for what asks this node for bytes of objects."""
        return f"{self.root}/objects/{self.role}/{self.node}/ask/+/+"

    @property
    def answers(self) -> str:
        """Filter for the bytes that this node has asked for."""
        return f"{self.root}/objects/{self.role}/{self.node}/data/+/+"

    def ask_of(self, role: str, holder: str) -> str:
        """Where this node asks a holder."""
        return f"{self.root}/objects/{role}/{holder}/ask/{self.role}/{self.node}"

    def answer_to(self, role: str, asker: str) -> str:
        """Where this node answers who has asked it."""
        return f"{self.root}/objects/{role}/{asker}/data/{self.role}/{self.node}"

    def ask_of_submit(self, holder: str) -> str:
        """Where this manager asks a command that submits to it for bytes of objects."""
        return self.ask_of(SUBMIT, holder)

    def answer_of_submit(self, holder: str) -> str:
        """Where such a command answers this manager."""
        return f"{self.root}/objects/{self.role}/{self.node}/data/{SUBMIT}/{holder}"

    def presence_of(self, peer: str) -> str:
        """Where a peer says that it is there."""
        return f"{self.root}/presence/{OTHER[self.role]}/{peer}"

    def inbox_of(self, peer: str) -> str:
        """Where this node's frames to `peer` go."""
        return f"{self.root}/{OTHER[self.role]}/{peer}/inbox/{self.role}/{self.node}"

    def request(self, job_type: str) -> str:
        """Where this manager's demand for `job_type` goes."""
        return f"{self.root}/requests/{job_type}/{self.node}"

    def requests_for(self, job_type: str) -> str:
        """Filter for the demand of all managers for `job_type`."""
        return f"{self.root}/requests/{job_type}/+"

    def events(self, workflow: str) -> str:
        """Where the events of a workflow go; `rejected` is for refused triggers."""
        return f"{self.root}/managers/{self.node}/events/{workflow}"

    def read(self, topic: str) -> Topic | None:
        """Return what a topic that a message came by means to this node, or None when it means nothing."""
        match topic.split("/"):
            case [self.root, self.role, self.node, "inbox", sender_role, sender] if sender_role == OTHER[self.role]:
                return Inbox(sender) if is_segment(sender) else None
            case [self.root, "managers", self.node, "workflows"] if self.role == "managers":
                return Triggers()
            case [self.root, "managers", self.node, "ask", person] if self.role == "managers":
                return QuestionOf(person) if is_segment(person) else None
            case [self.root, "presence", ("managers" | "agents") as role, node]:
                return PresenceOf(role, node) if is_segment(node) else None
            case [self.root, "requests", job_type, manager]:
                return Request(job_type, manager) if is_segment(job_type) and is_segment(manager) else None
        return None

    def read_objects(self, topic: str) -> Asked | Answered | None:
        """Return what a topic of objects means to this node, or None when it means nothing."""
        match topic.split("/"):
            case [self.root, "objects", self.role, self.node, "ask", ("managers" | "agents") as role, asker]:
                return Asked(role, asker) if is_segment(asker) else None
            case [
                self.root,
                "objects",
                self.role,
                self.node,
                "data",
                ("managers" | "agents" | "submit") as role,
                holder,
            ]:
                return Answered(role, holder) if is_segment(holder) else None
        return None

    def reply_problem(self, topic: str, elsewhere: Iterable[str] = ()) -> str | None:
        """Return why `topic` may not be a `reply_to`, or None.

        A manager must not be made to write into an inbox, nor to publish what its broker cuts it off for: RabbitMQ
        takes dots for slashes, and ends the connection of who publishes where he may not.

        Args:
            topic: What a trigger says.
            elsewhere: The filters of the configuration, for topics that are not below `{root}/replies/`.
        """
        if not topic or len(encoded(topic)) > REPLY_TOPIC_MAX_BYTES:
            return f"reply_to must be a topic of 1 to {REPLY_TOPIC_MAX_BYTES} bytes"
        if any(c in topic for c in "+#\0") or topic.startswith("$") or not topic.isprintable():
            return "reply_to must be one plain topic, without wildcards, and not begin with $"
        first, *below = topic.split("/")
        if first == self.root:
            if below[:1] == ["replies"] and len(below) > 1 and all(is_segment(level) for level in below):
                return None
        elif any(covers(each, topic) for each in elsewhere):
            return None
        return (
            f"reply_to must lie below {self.root}/replies/, in levels of 1 to 40 of a-z 0-9 _ -, "
            "or where the manager's configuration lets replies go (reply_to in manager.yaml)"
        )


@lru_cache(maxsize=65536)
def covers(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic filter with `+` and `#` covers `topic`.

    None that begins with a wildcard covers a topic that begins with `$` [MQTT-4.7.2-1].
    """
    levels, parts = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and levels[0] in {"+", "#"}:
        return False
    if levels[-1] == "#":
        levels = levels[:-1]
        # `a/#` covers `a` too.
        parts = parts[: len(levels)]
    return len(levels) == len(parts) and all(level in {"+", part} for level, part in zip(levels, parts, strict=True))


def peer_id(text: object, role: Role) -> str | None:
    """Return the id in `agents/a1` or `a1`, None when that is none of a node of this role."""
    node = text.removeprefix(f"{role}/") if isinstance(text, str) else ""
    return node if is_segment(node) else None


def why_no_filter(text: str) -> str | None:
    """Return why a text is no topic filter that we would subscribe to, or None [MQTT-4.7.1-2], [MQTT-4.7.1-3]."""
    *levels, last = text.split("/")
    plain = [level for level in (*levels, "" if last == "#" else last) if level != "+"]
    if not text or len(encoded(text)) > FILTER_MAX_BYTES or not text.isprintable():
        return f"a topic filter has 1 to {FILTER_MAX_BYTES} bytes, and no control characters"
    if any(c in level for level in plain for c in "+#"):
        return f"{text[:100]} is no topic filter: + is a whole level, # the last one"
    return None


def holds(outer: str, inner: str) -> bool:
    """Tell whether a topic filter covers all topics that another one covers."""
    levels, others = outer.split("/"), inner.split("/")
    for nth, level in enumerate(levels):
        if level == "#":
            return True
        if nth == len(others) or others[nth] == "#" or (level != "+" and level != others[nth]):
            return False
    return len(levels) == len(others)


def meet(one: str, other: str) -> bool:
    """Tell whether there is a topic that two topic filters cover."""
    levels, others = one.split("/"), other.split("/")
    for level, its in zip(levels, others, strict=False):
        if "#" in (level, its):
            return True
        if "+" not in (level, its) and level != its:
            return False
    longer, shorter = sorted((levels, others), key=len, reverse=True)
    return len(longer) == len(shorter) or longer[len(shorter) :] == ["#"]
