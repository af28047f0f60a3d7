"""Makes and checks what the configuration says of what starts workflows by itself, and of who is told."""

from itertools import combinations
from typing import Any

from caroni_edge.config.automation import AtMost, Rule, Schedule
from caroni_edge.config.notify import Notify, Topic, Webhook
from caroni_edge.config.reading import Reader, Values
from caroni_edge.config.timing import Cron, Every
from caroni_edge.protocol.topics import covers, holds, meet


def rule(name: str, values: Values) -> Rule:
    """Make the rule of an entry of `triggers`."""
    limit: dict[str, Any] = values["at_most"]
    return Rule(
        name=name,
        topic=values["topic"],
        when=values["when"],
        template=values["template"],
        inputs=values["inputs"] or {},
        id=values["id"],
        priority=values["priority"],
        payload=values["payload"],
        retained=values["retained"],
        at_most=AtMost(runs=limit["runs"], per_s=limit["per"], for_each=limit["for_each"]) if limit["per"] else None,
    )


def check_rules(reader: Reader, values: Values) -> None:
    """Note filters of triggers that no broker, or not this manager, can tell apart, and limits without a time."""
    root = values.get("topic_root")
    given = {name: each for name, each in (values.get("triggers") or {}).items() if each.get("topic")}
    for name, each in given.items():
        if each["topic"].split("/")[0] == root:
            reader.error(f"{each['topic']} lies below {root}, where nodes talk", "triggers", name, "topic")
        for reply in values.get("reply_to") or ():
            if meet(each["topic"], reply):
                what = f"{each['topic']} and reply_to {reply} meet: what this manager says would start its workflows"
                reader.error(what, "triggers", name, "topic")
        if reader.sources.given("triggers", name, "at_most") and not each["at_most"].get("per"):
            what = f"triggers.{name}.at_most says how many, and not within which time: write per: 10m"
            reader.error(what, "triggers", name, "at_most")
    for (one, first), (other, second) in combinations(given.items(), 2):
        filters = first["topic"], second["topic"]
        if meet(*filters) and not holds(*filters) and not holds(*filters[::-1]):
            what = f"{filters[1]} and {filters[0]} of {one} cover the same topics in part: let one hold the other"
            reader.error(what, "triggers", other, "topic")


def schedule(name: str, values: Values) -> Schedule:
    """Make the schedule of an entry of `schedules`."""
    pace = values["every"]
    return Schedule(
        name=name,
        template=values["template"],
        inputs=values["inputs"] or {},
        priority=values["priority"],
        timing=Every(pace) if pace else Cron(values["cron"], values["timezone"]),
        catch_up=values["catch_up"],
        overlap=values["overlap"],
    )


def check_schedules(reader: Reader, values: Values) -> None:
    """Note schedules that have no time, or two."""
    given = reader.sources.given
    for name in values.get("schedules") or {}:
        has_cron, has_pace = given("schedules", name, "cron"), given("schedules", name, "every")
        if has_cron == has_pace:
            said = (
                "both cron and every: leave one out" if has_cron else 'no time: write cron: "30 2 * * *" or every: 15m'
            )
            reader.error(f"schedules.{name} has {said}", "schedules", name)
        if has_pace and given("schedules", name, "timezone"):
            reader.error(f"schedules.{name}.timezone is of no use with every", "schedules", name, "timezone")


def check_notify(reader: Reader, values: Values) -> None:
    """Note topics of `notify` where nodes talk or triggers listen, and webhooks with two secrets."""
    root = values.get("topic_root")
    entries: tuple[Notify, ...] = values.get("notify") or ()
    _check_secrets(reader, entries)
    topics = [each.target.topic for each in entries if isinstance(each.target, Topic)]
    for topic in topics:
        if topic.split("/")[0] == root:
            reader.error(f"notify: {topic} lies below {root}, where nodes talk", "notify")
        for name, each in (values.get("triggers") or {}).items():
            if each.get("topic") and covers(each["topic"], topic):
                what = (
                    f"notify: the trigger {name} listens to {topic}: what this manager says would start its workflows"
                )
                reader.error(what, "notify")


def _check_secrets(reader: Reader, entries: tuple[Notify, ...]) -> None:
    """Note webhooks that are to be signed in two ways: what waits for a URL waits in one line, whatever the secret."""
    first: dict[str, tuple[int, Webhook]] = {}
    for nth, entry in enumerate(entries, 1):
        if not isinstance(target := entry.target, Webhook):
            continue
        before, other = first.setdefault(entry.target_key, (nth, target))
        if other != target:
            where = target.name.removeprefix("webhook ")
            what = f"notify: entries {before} and {nth} have the same webhook url ({where}) and not the same secret"
            reader.error(f"{what}: give all entries of a url the same secret_file, or none of them any", "notify")
