"""Keeps the demo busy while people look at its pages: a survey now and then, which takes a while and meets failures."""

import itertools
import threading
from contextlib import suppress
from typing import Final

import httpx

from caroni_edge.demo.stage import NO_TLS, SURVEY, Stage

EVERY_S: Final = 12.0
PLACES: Final = ("reef", "harbour", "shelf", "strait", "lagoon", "estuary", "bank", "trench")


def bustle(stage: Stage, ended: threading.Event) -> None:
    """Start surveys, one after the other, until that is ended. The manager holds a few; those before have ended."""
    headers = {"Authorization": f"Bearer {stage.token}"}
    with httpx.Client(base_url=stage.manager.url, headers=headers, trust_env=False, verify=NO_TLS) as client:
        for number in itertools.count(1):
            with suppress(httpx.TransportError):  # a manager that somebody has stopped, to see what happens, comes back
                start_survey(client, number)
            if ended.wait(EVERY_S):
                return


def start_survey(client: httpx.Client, number: int) -> None:
    """Start a survey of some places."""
    places = [PLACES[(number + each) % len(PLACES)] for each in range(3 + number % 4)]
    trigger = {"template": SURVEY, "inputs": {"places": places}, "id": f"survey-{number}"}
    client.post("/api/workflows", json=trigger).raise_for_status()
