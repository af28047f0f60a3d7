"""`caroni-edge demo`: a workflow that crosses two agents."""

import json
import signal
import sys
import threading
from typing import Any, Final, NoReturn

import click

MESSAGE = "caronirocks"
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(epilog="Example: caroni-edge demo --serve")
@click.option("--serve", is_flag=True, help="Keep all up until Ctrl-C, with pages on ports 8000, 8001 and 8002.")
def demo(serve: bool) -> None:
    """Show a workflow crossing two agents, on a broker of its own.

    Everything runs on 127.0.0.1 and in a temporary directory, and is ended and removed afterwards.
    """
    from caroni_edge.demo.bustle import bustle  # noqa: PLC0415
    from caroni_edge.demo.stage import Stage  # noqa: PLC0415

    for number in ENDING:
        signal.signal(number, _end)
    click.echo("Starting a broker, a workflow manager (m1) and two agents (a1, a2) …")
    try:
        with Stage(fixed_ports=serve) as stage:
            status = _result(_run(stage))
            if serve:
                _say_how_to_go_on(stage)
                bustle(stage, threading.Event())
    except KeyboardInterrupt:
        click.echo("\nEnded.")
        return
    sys.exit(status)


def _end(number: int, _: object) -> NoReturn:
    """Leave the stage, once: what it ends and removes is not broken off by another signal."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(0)


def _run(stage: Any) -> dict[str, Any]:
    from caroni_edge.cli._brokers import broker_config  # noqa: PLC0415
    from caroni_edge.client.submission import Submission  # noqa: PLC0415
    from caroni_edge.demo.stage import TEMPLATE  # noqa: PLC0415
    from caroni_edge.demo.view import follow  # noqa: PLC0415
    from caroni_edge.protocol.topics import Topics  # noqa: PLC0415
    from caroni_edge.protocol.triggers import Trigger  # noqa: PLC0415

    trigger = Trigger(template=TEMPLATE, inputs={"message": MESSAGE}, id="demo")
    click.echo(f"Publishing {json.dumps({'template': TEMPLATE, 'inputs': {'message': MESSAGE}})} to the manager\n")
    broker = broker_config(stage.broker_url, username="demo")
    with Submission(broker, Topics("caroni", "managers", stage.manager.name), trigger) as submission:
        next(submission.events(None, click.echo))
        return follow(stage, "demo")


def _result(workflow: dict[str, Any]) -> int:
    if workflow["status"] != "completed":
        click.echo(f"The workflow is {workflow['status']}: {workflow['reason']}", err=True)
        return 1
    click.echo(f"\nOutputs: {json.dumps(workflow['outputs'], ensure_ascii=False)}")
    for name, value in workflow["outputs"].items():
        click.echo(f"{name}: {value}")
    return 0


def _say_how_to_go_on(stage: Any) -> None:
    from caroni_edge.demo.stage import PASSWORD, USER  # noqa: PLC0415

    click.echo(f"\nBroker {stage.broker_url}, files in {stage.directory} (removed at the end)")
    for player in stage.players:
        click.echo(f"{player.role} {player.name}: {player.url} (login {USER}/{PASSWORD}), log {player.log}")
    click.echo("For another terminal:")
    click.echo(f"    export CARONI_TOKEN={stage.token} BROKER={stage.broker_url} DEMO={stage.directory}")
    click.echo("    caroni-edge submit test_simple -i message=hello --broker $BROKER --manager m1 --username me --wait")
    click.echo("After a change of a file below a1 or a2, have its agent read it anew:")
    for player in stage.players[1:]:
        click.echo(f"    kill -HUP {player.process.pid}  # {player.name}, {stage.directory / player.name}")
    click.echo("Ctrl-C ends all.")
