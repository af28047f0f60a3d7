"""RabbitMQ cuts off who publishes where he may not: a trigger that names such a place costs a few reconnects."""

from pathlib import Path

from tests.e2e.daemons import Fleet
from tests.other_brokers import RabbitMq
from tests.support import wait_until


def test_a_reply_that_the_manager_may_not_publish_stops_nobody(rabbitmq: RabbitMq, tmp_path: Path) -> None:
    rabbitmq.restrict("m1", r"^(?!caroni\.replies\.).*$")
    fleet = Fleet(tmp_path, rabbitmq)
    try:
        fleet.agent()
        manager = fleet.manager()
        # What agents say while it is cut off it does not hear, and this broker gives it nothing that is retained.
        wait_until(lambda: manager.get("/api/agents")["agents"], what="the agent to be known")
        trigger = {"template": "test_simple", "inputs": {"message": "x"}}
        fleet.trigger({**trigger, "id": "w1", "reply_to": "caroni/replies/alice/x"})
        fleet.trigger({**trigger, "id": "w2"})
        for workflow in ("w1", "w2"):
            assert fleet.outputs(workflow, 180) == {"result": "prepended Xappend"}
        wait_until(lambda: manager.ready() == 200, what="the manager to stay connected")
        assert "the broker cuts us off for this; the event is dropped" in manager.log
        fleet.trigger({**trigger, "id": "w3", "reply_to": "caroni.agents.a1.inbox.managers.m1"})
        wait_until(fleet.rejections, what="the rejection")
        assert "reply_to must lie below caroni/replies/" in fleet.rejections()[0]["reason"]
    finally:
        fleet.close()
