"""`caroni-edge schedules`: what the clock starts."""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import click

from caroni_edge.base.dates import rfc3339
from caroni_edge.base.errors import UsageError
from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._tables import UTC, when

TIMES_SHOWN = 10


@click.command(epilog="Example: caroni-edge schedules")
@click.option("--test", "cron", metavar="CRON", help="Show the next times of five fields of cron; asks no manager.")
@click.option("--timezone", metavar="NAME", default="UTC", help="In which the fields of --test are, as Europe/Prague.")
@UTC
@manager_api
def schedules(api: Api, cron: str | None, timezone: str, utc: bool) -> None:
    """Show the schedules of a manager: what comes next, what was started last, what was missed and why."""
    if cron is not None:
        times = _times(cron, timezone)
        api.show({"cron": cron, "timezone": timezone, "next": times}, times)
        return
    answer = api.get("/api/schedules")
    api.show(answer, _lines(answer["schedules"], utc=utc))


def _times(cron: str, zone: str) -> list[str]:
    from caroni_edge.config.timing import read_cron, read_zone  # noqa: PLC0415

    try:
        timing = read_cron(cron, read_zone(zone))
    except ValueError as error:
        raise UsageError("--test", str(error), 'Write it as in --test "30 2 * * *".') from None
    return [rfc3339(slot) for slot in islice(timing.after(time.time()), TIMES_SHOWN)]


def _lines(found: list[Mapping[str, Any]], *, utc: bool) -> Iterator[str]:
    if not found:
        yield "the clock starts no workflow: manager.yaml has no schedules"
    for each in found:
        zone = f" {each['timezone']}" if each["timezone"] else ""
        yield on_one_line(f"{each['name']}: {each['timing']}{zone} starts {each['template']}")
        yield f"  next {', '.join(when(slot, utc=utc) for slot in each['next'])}"
        for slot in each["last"]:
            yield f"  {when(slot['slot'], utc=utc)} {_became(slot)}"
        if each["missed"]:
            last = when(each["missed_slot"], utc=utc)
            yield on_one_line(f"  missed {each['missed']}, last {last}: {each['missed_why']}")
        if each["problem"]:
            yield on_one_line(f"  look at this: {each['problem']}")


def _became(slot: Mapping[str, Any]) -> str:
    return "waits for the one before" if slot["waiting"] else f"started {slot['workflow']}"
