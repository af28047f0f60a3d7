"""Every key of the two configuration files, as data: the reader, the examples' test and the documentation use it."""

from types import MappingProxyType
from typing import Final

from caroni_edge.config import automation_kinds, kinds, notify_kinds
from caroni_edge.config.filekeys import AGENT_FILES, FILES
from caroni_edge.config.key import Key

NAMES: Final = MappingProxyType(
    {
        "MANAGER": kinds.MANAGER,
        "USER": kinds.USER,
        "JOB_TYPE": kinds.SEGMENT,
        "TRIGGER": kinds.SEGMENT,
        "LABEL": kinds.LABEL,
        "RESOURCE": kinds.SEGMENT,
        "SCHEDULE": automation_kinds.SCHEDULE,
        "PERSON": kinds.SEGMENT,
    }
)
"""What the parts in capitals stand for."""

SWITCHES: Final = frozenset({"web"})
"""Sections that `false` turns off."""


_LOG: Final = (
    Key(
        "log.format",
        kinds.choice("console", "json"),
        "Log lines for people or for programs.",
        default="console",
        at_start=True,
    ),
    Key(
        "log.level",
        kinds.choice("debug", "info", "warning", "error"),
        "The least that is logged.",
        default="info",
        at_start=True,
    ),
)


def _common(role: str, example: str, web_port: int) -> tuple[Key, ...]:
    return (
        Key(
            "id",
            kinds.SEGMENT,
            f"Name of this {role}; each on a broker has its own.",
            required=True,
            example=example,
            at_start=True,
        ),
        Key(
            "state_dir",
            kinds.PATH,
            "Where it keeps its database.",
            default=f"/var/lib/caroni-edge/{role}",
            at_start=True,
        ),
        Key(
            "broker.url",
            kinds.BROKER_URL,
            "The broker, or a list of addresses tried in turn.",
            required=True,
            example="mqtt://127.0.0.1:1883",
        ),
        Key(
            "broker.data_url",
            kinds.BROKER_URL,
            "Where the broker lets a login connect more than once: for large files, and for what triggers listen to.",
            otherwise="broker.url",
        ),
        Key("broker.username", kinds.TEXT, "Login at the broker.", otherwise="no login"),
        Key("broker.password", kinds.SECRET, "Its password; better in a file.", otherwise="no password"),
        Key("broker.password_file", kinds.SECRET_FILE, "File that holds the password.", gives="password"),
        Key("broker.ca_file", kinds.READABLE_FILE, "Certificates to trust.", otherwise="those of the system"),
        Key("broker.cert_file", kinds.READABLE_FILE, "Certificate of this node.", otherwise="none"),
        Key("broker.key_file", kinds.READABLE_FILE, "Its key.", otherwise="in cert_file"),
        Key(
            "topic_root",
            kinds.SEGMENT,
            "First part of every topic; nodes that are to meet have the same.",
            default="caroni",
            at_start=True,
        ),
        Key(
            "forget_after",
            kinds.DURATION_OR_NEVER,
            "A peer silent for so long is forgotten.",
            default="90d",
            at_start=True,
        ),
        *FILES,
        Key("disk_floor", kinds.SIZE, "With less free space it takes no new work.", default="1G"),
        *_web(web_port),
        *_LOG,
    )


def _web(port: int) -> tuple[Key, ...]:
    return (
        Key("web.host", kinds.TEXT, "Address of the page and the API.", default="127.0.0.1", at_start=True),
        Key(
            "web.port",
            kinds.whole(0, 65535),
            "Port of the page and the API; 0: any free one.",
            default=port,
            at_start=True,
        ),
        Key(
            "web.cert_file",
            kinds.READABLE_FILE,
            "Certificate of the page. Whether there is one, so https, counts from the next start on.",
            otherwise="none: http, no https",
        ),
        Key("web.key_file", kinds.READABLE_FILE, "Its key.", otherwise="in cert_file"),
        Key(
            "web.trusted_proxies",
            kinds.NETWORKS,
            "Proxies that may say where a request came from (X-Forwarded-For, -Proto).",
            otherwise="none",
            example="[127.0.0.1]",
        ),
        Key("web.edit", kinds.FLAG, "Whether pages and API may change files.", default=True),
        Key("web.username", kinds.USER, "Who may do all.", default="admin"),
        Key("web.password", kinds.SECRET, "That user's password.", otherwise="made, in state_dir/web-password"),
        Key("web.password_file", kinds.SECRET_FILE, "File that holds the password.", gives="password"),
        Key("web.token", kinds.SECRET, "Bearer token of the API.", otherwise="made, in state_dir/web-token"),
        Key("web.token_file", kinds.SECRET_FILE, "File that holds the token.", gives="token"),
        Key(
            "web.users.USER.role",
            kinds.choice("viewer", "operator"),
            "What a user may do.",
            required=True,
            example="viewer",
        ),
        Key("web.users.USER.password", kinds.SECRET, "That user's password.", otherwise="give a password_file"),
        Key("web.users.USER.password_file", kinds.SECRET_FILE, "File that holds the password.", gives="password"),
    )


_TRIGGERS: Final = (
    Key(
        "triggers.TRIGGER.topic",
        automation_kinds.ANY_FILTER,
        "The messages that may start workflows.",
        required=True,
        example="sensors/+/temperature",
    ),
    Key("triggers.TRIGGER.when", automation_kinds.CONDITION, "Whether a message starts one.", otherwise="each does"),
    Key("triggers.TRIGGER.template", kinds.TEXT, "What is started.", required=True, example="alarm"),
    Key("triggers.TRIGGER.inputs", automation_kinds.INPUTS, "Its inputs.", otherwise="none"),
    Key(
        "triggers.TRIGGER.id",
        automation_kinds.EXPRESSION,
        "The workflow's id; the same id starts nothing twice.",
        otherwise="a random one",
    ),
    Key("triggers.TRIGGER.priority", kinds.whole(0, 9), "The workflow's priority.", default=4),
    Key(
        "triggers.TRIGGER.payload",
        kinds.choice("json", "text"),
        "What `message` is: the payload as JSON, or as a text.",
        default="json",
    ),
    Key(
        "triggers.TRIGGER.retained",
        kinds.choice("ignore", "take"),
        "Whether retained messages count; the last value of a topic does once.",
        default="ignore",
    ),
    Key("triggers.TRIGGER.at_most.runs", kinds.whole(1, 1000), "So many workflows are started at most …", default=1),
    Key("triggers.TRIGGER.at_most.per", kinds.DURATION, "… within so long.", otherwise="any number"),
    Key(
        "triggers.TRIGGER.at_most.for_each",
        automation_kinds.EXPRESSION,
        "The key by which they are counted apart.",
        otherwise="all are counted together",
    ),
)

_SCHEDULES: Final = (
    Key("schedules.SCHEDULE.template", kinds.TEXT, "What is started.", required=True, example="health"),
    Key("schedules.SCHEDULE.cron", automation_kinds.CRON, "When it is due.", otherwise="give every"),
    Key("schedules.SCHEDULE.every", automation_kinds.PACE, "Or how often, from 1970 on.", otherwise="give cron"),
    Key("schedules.SCHEDULE.timezone", automation_kinds.ZONE, "In which the times of cron are.", default="UTC"),
    Key("schedules.SCHEDULE.inputs", automation_kinds.PLAIN_INPUTS, "Its inputs.", otherwise="none"),
    Key("schedules.SCHEDULE.priority", kinds.whole(0, 9), "The workflow's priority.", default=4),
    Key(
        "schedules.SCHEDULE.catch_up",
        kinds.choice("last", "none", "all"),
        "Which of the slots are made up for that the manager missed; all: 100 at most.",
        default="last",
    ),
    Key(
        "schedules.SCHEDULE.overlap",
        kinds.choice("skip", "queue", "allow"),
        "What becomes of a slot while a workflow of the schedule has not ended.",
        default="skip",
    ),
)

MANAGER_KEYS: Final = (
    *_common("manager", "m1", 8000),
    Key("templates", kinds.PATH, "Directory of the workflow templates.", default="/etc/caroni-edge/templates"),
    Key("roots", kinds.PATHS, "Further directories of files that templates may run, import and include."),
    Key("attempts", kinds.whole(1, 1000), "Attempts that a step has.", default=5),
    Key("retry_delay", kinds.DURATION, "Wait before the second attempt; doubles to 1m.", default="1s"),
    Key("lost_after", kinds.DURATION_OR_NEVER, "The jobs of an agent silent for so long go to others.", default="1d"),
    Key("stalled_after", kinds.DURATION, "A workflow nobody serves for so long is stalled.", default="1m"),
    Key("priority_max", kinds.whole(0, 9), "The greatest priority that a trigger may ask for.", default=9),
    Key(
        "waiting.workflows", kinds.whole(1, 10_000_000), "With so many unfinished ones it starts none.", default=10_000
    ),
    Key("waiting.size", kinds.SIZE, "The same, by the size of their inputs together.", default="256M"),
    Key("max_live_steps", kinds.whole(1, 1_000_000), "Steps that agents have at a time.", otherwise="no limit"),
    Key(
        "reply_to",
        kinds.TOPIC_FILTERS,
        "Where a trigger's reply_to may lie beside replies/ below the topic_root.",
        otherwise="nowhere else",
        example="[answers/#]",
    ),
    Key(
        "people.PERSON",
        kinds.choice("viewer", "operator"),
        "What a person may do who asks over the broker; {}: only who sends the API's token is answered.",
        otherwise="nobody is answered there",
    ),
    Key("agents.JOB_TYPE", kinds.AGENTS, "The agents that alone may have jobs of a type.", otherwise="any agent"),
    *_TRIGGERS,
    *_SCHEDULES,
    Key("notify", notify_kinds.NOTIFY, "Who is told of what.", otherwise="nobody"),
    Key("silent_after", kinds.DURATION, "An agent away for so long is called silent.", default="10m"),
    Key(
        "files.store",
        kinds.SIZE,
        "How much the files may take on its disk that people upload, and copies of those that they download.",
        default="10G",
    ),
    Key(
        "files.copies",
        kinds.whole(1, 16),
        "On so many hosts large files are to lie, with those where they were made: on depots beside.",
        default=1,
    ),
    Key("depots", kinds.AGENTS, "The agents that may keep files of others, where they say so too.", otherwise="none"),
    Key("retention.workflows", kinds.DURATION_OR_NEVER, "How long finished workflows are kept.", default="90d"),
)

AGENT_KEYS: Final = (
    *_common("agent", "a1", 8001),
    Key("job_types", kinds.PATH, "Directory of the job types.", default="/etc/caroni-edge/jobtypes"),
    Key("slots", kinds.whole(1, 10_000), "Jobs that run at a time.", otherwise="the number of CPUs"),
    Key("backlog", kinds.PLACES, "Ready jobs kept beside those that run; auto: a second of work.", default=kinds.AUTO),
    Key("pending", kinds.PLACES, "Jobs kept whose data is not there yet; auto: likewise.", default=kinds.AUTO),
    *AGENT_FILES,
    Key("retention.jobs", kinds.DURATION_OR_NEVER, "How long finished jobs are kept.", default="30d"),
    Key("retention.size", kinds.SIZE_OR_NEVER, "How much finished jobs may take on disk.", default="10G"),
    Key(
        "sandbox",
        kinds.choice("preferred", "required", "off"),
        "Whether jobs are locked into boxes: where that is possible, or else run no job, or never.",
        default="preferred",
    ),
    Key("labels.LABEL", kinds.LABEL_VALUE, "What this host is, for steps that ask for it.", otherwise="no labels"),
    Key(
        "resources.RESOURCE",
        kinds.AMOUNT,
        "How much of it this host has for jobs whose type says that they need it (`needs`).",
        otherwise="none",
    ),
    Key("managers.MANAGER.weight", kinds.weight(1_000_000), "The share of a manager that may send work.", default=1),
)


class Section(dict[str, "Key | Section"]):
    """The keys and the sections inside a section, by their names."""


def tree(keys: tuple[Key, ...]) -> Section:
    """Return the keys as the file nests them: the dots of their names are levels."""
    root = Section()
    for key in keys:
        *sections, last = key.name.split(".")
        section = root
        for name in sections:
            inner = section.setdefault(name, Section())
            assert isinstance(inner, Section)
            section = inner
        section[last] = key
    return root
