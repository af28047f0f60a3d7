"""Loads the configuration of a manager or an agent."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from caroni_edge.config.automation_reading import check_notify, check_rules, check_schedules, rule, schedule
from caroni_edge.config.effect import DEFAULT, in_effect
from caroni_edge.config.hours import ALWAYS
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS, Section, tree
from caroni_edge.config.kinds import Place
from caroni_edge.config.model import (
    EVERYBODY,
    AgentConfig,
    BrokerConfig,
    BucketConfig,
    FilesConfig,
    LogConfig,
    ManagerConfig,
    WebConfig,
    WebUser,
)
from caroni_edge.config.reading import Reader, Values
from caroni_edge.config.sources import overlay
from caroni_edge.documents.documents import Problem, Problems, load
from caroni_edge.protocol.labels import LABELS_MAX

_MANAGER: Final = tree(MANAGER_KEYS)
_AGENT: Final = tree(AGENT_KEYS)
_SECRET: Final = ("password_file", "token_file", "key_file", "cert_file")
"""Ends of the names of keys whose files are not everybody's."""

DEPTH_MAX: Final = 512
"""More jobs than that an agent keeps only where its owner says so, or it has half as many slots."""


def load_manager(path: Path, environ: Mapping[str, str]) -> ManagerConfig:
    """Read a manager's configuration.

    Args:
        path: The YAML file.
        environ: The environment, whose `CARONI_EDGE_…` variables come before the file.

    Raises:
        Problems: Everything that is wrong with it, each with its file and line or its variable.
    """
    values = _read(path, environ, _MANAGER, _AGENT)
    return ManagerConfig(
        **_common(path, values),
        templates=values["templates"],
        roots=values["roots"] or (),
        attempts=values["attempts"],
        retry_delay_s=values["retry_delay"],
        lost_after_s=values["lost_after"],
        stalled_after_s=values["stalled_after"],
        priority_max=values["priority_max"],
        waiting_workflows=values["waiting"]["workflows"],
        waiting_bytes=values["waiting"]["size"],
        max_live_steps=values["max_live_steps"],
        reply_to=values["reply_to"] or (),
        retention_s=values["retention"]["workflows"],
        trusted={name: agents for name, agents in (values["agents"] or {}).items() if agents},
        people=values["people"],
        notify=values["notify"] or (),
        silent_after_s=values["silent_after"],
        files_store_bytes=values["files"]["store"],
        copies=values["files"]["copies"],
        depots=values["depots"] or (),
        schedules=tuple(schedule(name, each) for name, each in (values["schedules"] or {}).items()),
        rules=tuple(rule(name, each) for name, each in (values["triggers"] or {}).items()),
    )


def load_agent(path: Path, environ: Mapping[str, str]) -> AgentConfig:
    """Read an agent's configuration.

    Args:
        path: The YAML file.
        environ: The environment, whose `CARONI_EDGE_…` variables come before the file.

    Raises:
        Problems: Everything that is wrong with it, each with its file and line or its variable.
    """
    values = _read(path, environ, _AGENT, _MANAGER)
    slots: int = values["slots"] or len(os.sched_getaffinity(0))
    least, managers = 2 * slots, values["managers"]
    return AgentConfig(
        **_common(path, values),
        job_types=values["job_types"],
        slots=slots,
        backlog=least if values["backlog"] is None else values["backlog"],
        backlog_most=DEPTH_MAX if values["backlog"] is None else values["backlog"],
        pending=least if values["pending"] is None else values["pending"],
        pending_most=DEPTH_MAX if values["pending"] is None else values["pending"],
        retention_s=values["retention"]["jobs"],
        retention_bytes=values["retention"]["size"],
        managers={EVERYBODY: 1.0} if managers is None else {name: each["weight"] for name, each in managers.items()},
        sandbox=values["sandbox"],
        labels=_labels(path, values["labels"] or {}),
        resources=values["resources"] or {},
        files_store_bytes=values["files"]["store"],
        files_per_manager_bytes=values["files"]["per_manager"],
        depot=values["files"]["depot"],
    )


def _labels(path: Path, labels: Values) -> dict[str, str]:
    if len(labels) > LABELS_MAX:
        raise Problems([Problem(str(path), f"labels: {LABELS_MAX} are allowed, and these are {len(labels)}")])
    return dict(labels)


def _read(path: Path, environ: Mapping[str, str], section: Section, elsewhere: Section) -> Values:
    document = load(path)
    if not isinstance(document.value, dict | None):
        raise Problems([Problem(document.where(), "expected keys and values, such as id: m1")])
    sources, problems = overlay(document, section, elsewhere, environ)
    place = Place(path.absolute().parent, environ)
    reader = Reader(sources, place, problems)
    values = reader.section(section, sources.values)
    _check_broker(reader, values.get("broker") or {})
    _check_web(reader, values.get("web") or {})
    _check_files(reader, values)
    _check_replies(reader, values)
    check_rules(reader, values)
    check_schedules(reader, values)
    check_notify(reader, values)
    if problems:
        raise Problems(problems)
    settings = tuple(in_effect(section, sources))
    names = [each.value for each in settings if each.key.endswith(_SECRET) and each.source != DEFAULT]
    return values | {"settings": settings, "secret_files": tuple(place.folder / name for name in names)}


def _check_broker(reader: Reader, broker: Values) -> None:
    """Note values that are right one by one, and make no sense together."""
    given = reader.sources.given
    urls = broker.get("url") and (*broker["url"], *(broker.get("data_url") or ()))
    for name in ("ca_file", "cert_file", "key_file"):
        if urls is not None and not any(url.tls for url in urls) and given("broker", name):
            reader.error(f"broker.{name} is of no use without TLS: write url: mqtts://…", "broker", name)
    if given("broker", "key_file") and not given("broker", "cert_file"):
        reader.error("broker.key_file needs broker.cert_file beside it", "broker", "key_file")
    for name in ("password", "password_file"):
        if given("broker", name) and not given("broker", "username"):
            reader.error(f"broker.{name} needs broker.username beside it", "broker", name)


def _check_web(reader: Reader, web: Values) -> None:
    """Note users without a password, those that there are twice, and a key without its certificate."""
    given = reader.sources.given
    if given("web", "key_file") and not given("web", "cert_file"):
        reader.error("web.key_file needs web.cert_file beside it", "web", "key_file")
    for name in web.get("users") or {}:
        keys = ("web", "users", name)
        if not (given(*keys, "password") or given(*keys, "password_file")):
            reader.error(f"web.users.{name} has no password: write password_file: FILE", *keys)
        if name == web["username"]:
            reader.error(f"{name} is web.username already", *keys)


def _check_files(reader: Reader, values: Values) -> None:
    """Note what makes no sense: an address by which nothing can be had, since there is no page; half a bucket."""
    if reader.sources.given("files", "url") and values.get("web") is None:
        reader.error("files.url is of no use without a page: web is false", "files", "url")
    _check_bucket(reader, values.get("files") or {})


def _check_bucket(reader: Reader, files: Values) -> None:
    """Note a bucket in which nothing would ever be put, and half a key."""
    given, bucket = reader.sources.given, ("files", "bucket")
    for name in ("endpoint", "key_id", "key", "key_file"):
        if given(*bucket, name) and not given(*bucket, "url"):
            reader.error(f"files.bucket.{name} needs files.bucket.url beside it", *bucket, name)
    if given(*bucket, "url") and not files.get("depot"):
        reader.error("files.bucket is of no use where files.depot is not true: a depot alone keeps files", *bucket)
    if given(*bucket, "key_id") != (given(*bucket, "key") or given(*bucket, "key_file")):
        reader.error("files.bucket.key_id and its key_file go together", *bucket)


def _check_replies(reader: Reader, values: Values) -> None:
    """Note filters that would let replies go to where nodes talk."""
    root = values.get("topic_root")
    for each in values.get("reply_to") or ():
        if each.split("/")[0] == root:
            reader.error(f"{each} lies below {root}: there replies go below {root}/replies/ alone", "reply_to")


def _common(path: Path, values: Values) -> dict[str, Any]:
    return {
        "id": values["id"],
        "path": path,
        "state_dir": values["state_dir"],
        "broker": _broker(values["broker"]),
        "topic_root": values["topic_root"],
        "forget_after_s": values["forget_after"],
        "disk_floor_bytes": values["disk_floor"],
        "web": None if values["web"] is None else _web(values["web"]),
        "log": LogConfig(**values["log"]),
        "files": _files(values["files"]),
        "settings": values["settings"],
        "secret_files": values["secret_files"],
    }


def _files(values: Values) -> FilesConfig:
    return FilesConfig(
        up=values["up"],
        down=values["down"],
        at_once=values["at_once"],
        when=values["when"] or ALWAYS,
        hosts=values["hosts"] or (),
        ca_file=values["ca_file"],
        url=values["url"],
        bucket=_bucket(values.get("bucket") or {}, values["ca_file"]),
    )


def _bucket(values: Values, ca_file: Path | None) -> BucketConfig | None:
    return BucketConfig(**values, ca_file=ca_file) if values.get("url") else None


def _broker(values: Values) -> BrokerConfig:
    return BrokerConfig(urls=values.pop("url"), data_urls=values.pop("data_url") or (), **values)


def _web(values: Values) -> WebConfig:
    users = values.pop("users") or {}
    values["trusted_proxies"] = values["trusted_proxies"] or ()
    return WebConfig(users={name: WebUser(**user) for name, user in users.items()}, **values)
