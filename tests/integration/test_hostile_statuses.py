"""Whatever an agent has said of a job or of itself, a manager's API answers, and what people order is done."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from caroni_edge.protocol.codec import Unreadable, decode_message
from caroni_edge.protocol.messages import JobStatusUpdate
from tests.web_bench import Client, ManagerBench, serve_manager

DEEP: Any = 1
for _ in range(500):
    DEEP = [DEEP]

TEXTS = ["", "\0", "\x1b[2J\x9b31m", "\u202ereversed", "</script><script>alert(1)</script>", "x" * 30_000]
FACTS: list[dict[str, Any]] = [
    *({"started": date, "ended": other} for date in (0, 1e-300, 253402300799) for other in (0, 253402300799)),
    *({"exit_code": code} for code in (-(2**31), -1, 255, 2**32 - 1)),
    *({name: text} for name in ("reason", "stderr", "version", "box") for text in TEXTS),
    {"serial": 2**53 - 1},
    {"outputs": {}},
    {"outputs": {"out": None, "": {}, "x" * 10_000: "\0"}},
    {"outputs": {"replymessage": 10**400}},
    {"outputs": {"replymessage": 1e308}},
    {"outputs": {"replymessage": DEEP}},
    {"outputs": {"replymessage": {"class": "File", "location": "file:///etc/passwd", "size": -1}}},
]
REFUSED: list[dict[str, Any]] = [
    *({name: date} for name in ("started", "ended") for date in (-1e17, -1, 1e300, 253402300800)),
    *({"exit_code": code} for code in (-(2**31) - 1, 2**32, 10**400)),
    *({"serial": serial} for serial in (-1, 2**53, 2**62, 10**400)),
]


def said(job: str, status: str, facts: dict[str, Any]) -> JobStatusUpdate:
    """Read a status as it comes from the wire, where numbers know no bounds."""
    body = {"id": "m1", "type": "JobStatusUpdate", "job": job, "serial": 5, "status": status, "begun": True, **facts}
    message = decode_message(msgspec.json.encode(body))
    assert isinstance(message, JobStatusUpdate)
    return message


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerBench]:
    bench = ManagerBench(tmp_path_factory.mktemp("state"), attempts=2)
    bench.see("a1", "foojob0")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def client(bench: ManagerBench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serve_manager(bench, tmp_path_factory.mktemp("site")) as server, Client(server) as client:
        yield client


def all_answer(client: Client, workflow: str = "w1") -> None:
    """Read all that a manager tells of its work, then let people end it and begin it again."""
    here, step = f"/api/workflows/{workflow}", f"/api/workflows/{workflow}/steps/upper"
    for path in (here, f"{here}/why", f"{here}/steps", step, f"{step}/why", f"{step}/log"):
        judge(client.get(path))
    for path in ("/api/workflows", "/api/agents", "/api/node", "/metrics"):
        assert judge(client.get(path)).status_code == 200
    for order in ("cancel", "retry", "cancel"):
        judge(client.post(f"{here}/{order}"))
        judge(client.get(f"{here}/why"))
    assert client.get(here).json()["status"] in {"cancelled", "completed"}


def judge(answer: httpx.Response) -> httpx.Response:
    """Hold that an answer is none of a program that has failed."""
    assert answer.status_code < 500, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    return answer


@pytest.mark.parametrize("status", ["pending", "queued", "running", "completed", "failed", "killed"])
def test_whatever_a_status_says(bench: ManagerBench, client: Client, status: str) -> None:
    for number, facts in enumerate(FACTS):
        workflow = bench.trigger(workflow=f"{status}-{number}")
        job = bench.place("a1", "foojob0").job
        bench.message("a1", said(job, status, facts))
        all_answer(client, workflow)


@pytest.mark.parametrize("facts", REFUSED, ids=lambda facts: str(facts)[:40])
def test_what_no_calendar_and_no_counter_holds_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        said("job0job0job0", "failed", facts)
    here = {"job": "job0job0job0", "serial": 5, "status": "failed", "workflow": "w1", "step": "a", "attempt": 1}
    body = {"type": "JobsHere", "id": "m1", "wanted": "wanted00", "database": "d"}
    decode_message(msgspec.json.encode({**body, "jobs": [{**here, "job_type": "t"}]}))
    with pytest.raises(Unreadable):
        decode_message(msgspec.json.encode({**body, "jobs": [{**here, "job_type": "t", **facts}]}))


def test_what_an_earlier_release_has_kept(bench: ManagerBench, client: Client) -> None:
    for number, date in enumerate((1e300, -1e300, -1e17, float("inf"), 253402300800)):
        workflow = bench.trigger(workflow=f"kept-{number}")
        bench.fail("a1", "foojob0")
        bench.database.conn.execute("UPDATE jobs SET started = ?, ended = ?, exit_code = ?", (date, date, 2**62))
        bench.database.conn.commit()
        all_answer(client, workflow)


def test_whatever_an_agent_says_of_itself(bench: ManagerBench, client: Client) -> None:
    notices = [{"inputs": {text: "string"}, "outputs": {"out": text}} for text in TEXTS]
    for number, (text, notice) in enumerate(zip(TEXTS, notices, strict=True)):
        said = {"online": True, "boot": "b", "version": text, "host": text, "slots": 10**9, "refuses": {text: text}}
        payload = msgspec.json.encode({**said, "job_types": {"foojob0": notice}})
        try:
            bench.notice("liar", payload)
        except Unreadable:
            continue
        workflow = bench.trigger(workflow=f"of-itself-{number}")
        all_answer(client, workflow)
