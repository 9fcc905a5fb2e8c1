"""A test of a network: its counts are those of its answers, and its confidence is measured."""

from dataclasses import replace

import pytest
import torch
from small_trainings import ARCHITECTURE, network_of, samples
from test_trained import trained

from optuna_egnas._core.report import Bin, Report, calibration_error
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import normalised
from optuna_egnas.evaluation.trained.examination import BINS, examine


@pytest.fixture
def network():
    """A network that is not trained, whose answers vary."""
    generator = torch.Generator().manual_seed(0)
    made = network_of(ARCHITECTURE, seed=7)
    for values in made.parameters():
        values.data += 0.3 * torch.randn(values.shape, generator=generator)
    return trained(made)


def by_hand(network, test):
    with torch.no_grad():
        return network.network()(normalised(test.images, network.statistics)).softmax(1)


def test_counts_are_those_of_the_answers(network):
    test = samples(600, seed=3)
    probabilities = by_hand(network, test)
    answers = probabilities.argmax(1)

    report = examine(network, test)

    assert report.class_names == network.class_names
    assert report.total == sum(report.class_total) == 600
    assert report.correct == sum(report.class_correct) == int((answers == test.labels).sum())
    assert report.class_total == tuple(torch.bincount(test.labels, minlength=10).tolist())
    for label in range(10):
        for answer in range(10):
            both = (test.labels == label) & (answers == answer)
            assert report.confusion[label][answer] == int(both.sum())
    assert len({*answers.tolist()}) > 2, "the answers vary, or the matrix shows nothing"


def test_confidence_is_measured_bin_by_bin(network):
    test = samples(600, seed=3)
    confidence, answers = by_hand(network, test).double().max(1)

    report = examine(network, test)

    assert len(report.bins) == BINS
    assert sum(each.count for each in report.bins) == 600
    assert sum(each.correct for each in report.bins) == report.correct
    assert len([each for each in report.bins if each.count]) > 2
    error = 0.0
    for index, each in enumerate(report.bins):
        inside = (confidence > index / BINS) & (confidence <= (index + 1) / BINS)
        assert each.count == int(inside.sum())
        if each.count:
            accuracy = (answers == test.labels)[inside].double().mean()
            assert each.confidence == pytest.approx(confidence[inside].mean().item(), abs=1e-6)
            error += each.count / 600 * abs(float(accuracy) - each.confidence)
    assert report.calibration_error == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize(
    ("bins", "error"),
    [
        ((Bin(count=10, correct=9, confidence=0.9),), 0.0),  # as sure as right
        ((Bin(count=10, correct=5, confidence=1.0),), 0.5),  # too sure
        ((Bin(count=10, correct=10, confidence=0.75),), 0.25),  # not sure enough
        ((Bin(count=0, correct=0, confidence=0.0), Bin(count=1, correct=1, confidence=1.0)), 0.0),
        ((Bin(count=3, correct=0, confidence=0.4), Bin(count=1, correct=1, confidence=0.6)), 0.4),
    ],
)
def test_the_calibration_error_weighs_each_bin(bins, error):
    assert calibration_error(bins) == pytest.approx(error)


def test_a_class_without_test_images_has_an_empty_row(network):
    images = samples(5).images
    test = LabelledImages(images=images, labels=torch.zeros(5, dtype=torch.int64))

    report = examine(network, test)

    assert report.class_total == (5, *[0] * 9)
    assert len(report.confusion) == 10


def test_a_report_comes_back_from_its_record(network):
    report = examine(network, samples(50))

    assert Report.from_json(report.to_json()) == report
    assert Report.from_json(replace(report, bins=report.bins[:3]).to_json()) != report
