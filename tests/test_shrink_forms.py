"""In which runtime a cut network is thought to run: by latencies of the whole and the narrowest."""

from __future__ import annotations

import pytest

from allotrope.config import Target
from allotrope.verbs.pipeline.shrunk_values import Before, Span

TODAY, OTHER = ("openvino", "int8", "nncf"), ("onnxruntime", "float32", "")


def before(*spans):
    return Before([], {}, (TODAY, OTHER), Target(), {}, {}, spans)


def test_the_form_that_leaves_more_of_the_network_is_taken():
    spans = Span(TODAY, 1.0, 0.5), Span(OTHER, 1.2, 0.1)
    assert before(*spans).form_at(0.6) == OTHER
    spans = Span(TODAY, 1.0, 0.1), Span(OTHER, 1.2, 0.5)
    assert before(*spans).form_at(0.6) == TODAY


def test_at_the_narrowest_end_noise_does_not_decide():
    spans = Span(TODAY, 0.100, 0.0080), Span(OTHER, 0.120, 0.0070)
    assert before(*spans).form_at(0.0085) == TODAY


@pytest.mark.parametrize("spans", [(), (Span(TODAY, 1.0, 0.5),)])
def test_without_another_it_is_the_one_in_front(spans):
    assert before(*spans).form_at(0.1) == TODAY


def test_if_the_one_in_front_was_not_timed_another_is_taken():
    assert before(Span(OTHER, 1.0, 0.5)).form_at(0.1) == OTHER
