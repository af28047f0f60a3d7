"""Histograms: what is counted where, and that any number of names costs no more than some."""

from math import inf

from caroni_edge.base.measures import LABELS_MAX, OTHER, Histogram, Histograms, LoopMeasures


def test_a_value_counts_up_to_each_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((1.0, 5.0))
    for value in (0.5, 1.0, 1.5, 5.0, 7.0):
        histogram.observe(value)
    assert list(histogram.cumulative()) == [(1.0, 2), (5.0, 4), (inf, 5)]
    assert histogram.total == 15.0


def test_too_many_names_share_one_histogram() -> None:
    histograms = Histograms((1.0,))
    for number in range(LABELS_MAX + 50):
        histograms[f"type{number}"].observe(0.5)
    histograms["type0"].observe(0.5)
    assert len(histograms) == LABELS_MAX + 1
    assert list(histograms["type0"].cumulative())[-1] == (inf, 2)
    assert list(histograms[OTHER].cumulative())[-1] == (inf, 50)


def test_a_batch_is_measured_by_its_time_and_its_size() -> None:
    measures = LoopMeasures()
    measures.observe(0.002, 3)
    assert dict(measures.batch_s.cumulative())[0.0025] == 1
    assert dict(measures.batch_items.cumulative())[2.0] == 0
    assert measures.batch_items.total == 3
