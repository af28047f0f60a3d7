"""How fast bytes come is said over the last seconds."""

from caroni_edge.objects.transfer.progress import LOOK_EVERY_S, RATE_OVER_S, Meter


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter()
    assert meter.look(0.0) == 0.0
    for second in range(1, 21):
        meter.came_bytes += 1000 if second <= 10 else 0
        rate = meter.look(float(second))
        assert rate == (1000.0 if second <= 10 else (20 - second) * 1000 / RATE_OVER_S)


def test_after_a_pause_the_rate_is_that_of_the_pause() -> None:
    meter = Meter()
    meter.look(0.0)
    meter.came_bytes += 6000
    meter.look(1.0)
    assert meter.look(60.0) == 0.0


def test_a_look_is_due_now_and_then() -> None:
    meter = Meter()
    assert meter.is_due(5.0)
    meter.look(5.0)
    assert not meter.is_due(5.0 + LOOK_EVERY_S / 2)
    assert meter.is_due(5.0 + LOOK_EVERY_S)
