"""`caroni-edge broker`: the embedded broker, for trying things out."""

import signal

import click

from caroni_edge.base.errors import CaroniError


class BrokerEnded(CaroniError):
    """The broker has ended by itself: {reason}."""

    hint = "Start it again; it keeps nothing over a restart."


@click.command(epilog="Example: caroni-edge broker --port 1883")
@click.option("--port", default=1883, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
def broker(port: int) -> None:
    """Run the embedded broker (amqtt) on 127.0.0.1, for trying things out.

    Any user name and password are taken; without a user name nothing is queued. It keeps nothing over a restart, so it
    is not for production: use mosquitto there (config/mosquitto/ has an example).
    """
    from caroni_edge.demo.broker import EmbeddedBroker  # noqa: PLC0415

    with EmbeddedBroker(port=port) as running:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.ended.set())
        click.echo(f"mqtt://127.0.0.1:{running.port}")
        click.echo("For trying things out only: nothing survives a restart. Ctrl-C ends it.", err=True)
        running.ended.wait()
    if running.failure is not None:
        raise BrokerEnded("", reason=running.failure)
