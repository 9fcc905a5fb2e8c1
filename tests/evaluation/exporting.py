"""Networks to hand over, for tests."""

from dataclasses import replace
from functools import cache

import torch
from small_trainings import seeded
from torch import nn
from walking import EGNAS

from optuna_egnas import Architecture
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.data.images import READING
from optuna_egnas.evaluation.data.labelled import load_training, split
from optuna_egnas.evaluation.engine.augmentation import channel_statistics, normalised
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.evaluation.trained.network_file import TrainedNetwork
from optuna_egnas.options import Recipe

EVERYTHING = Architecture(
    width=4, ops=("sep", "conv", "sep", "conv", "conv", "sep"), kernels=(3, 3, 5, 5, 7, 7)
)
"""Each operation with each kernel."""


def lively(architecture, *, shape=(1, 8, 8), classes=10, seed=0, ground="white"):
    """A network as it might be after a training: no norm is at its beginning, logits differ."""
    generator = seeded(seed)
    network = EGNAS.build(architecture, input_shape=shape, classes=classes, generator=generator)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            for value in (module.weight, module.bias):
                value.data.uniform_(0.5, 1.5, generator=generator)
    network(torch.randn((64, *shape), generator=generator))
    return TrainedNetwork(
        search="lively",
        architecture=architecture,
        input_shape=shape,
        class_names=tuple(f"class {index}" for index in range(classes)),
        mean=(100.0, 110.5, 120.25)[: shape[0]],
        std=(60.0, 70.5, 80.25)[: shape[0]],
        weights=network.state_dict(),
        seed=seed,
        epochs=1,
        reading=READING,
        ground=ground,
    )


@cache
def digits():
    """A network that was trained on the digits, and tested."""
    data, test = load_training("digits"), load_test("digits")
    training, validation = split(data, valid_fraction=0.2, seed=0)
    network = EGNAS.build(EVERYTHING, input_shape=(1, 8, 8), classes=10, generator=seeded(0))
    records = train(network, training, validation, epochs=5, recipe=Recipe(), seed=0, device="cpu")
    list(records)
    statistics = channel_statistics(training.images)
    return replace(
        lively(EVERYTHING),
        search="digits",
        class_names=data.class_names,
        mean=tuple(statistics.mean.flatten().tolist()),
        std=tuple(statistics.std.flatten().tolist()),
        weights=network.state_dict(),
        epochs=5,
        test_correct=count_correct(network, test.images, test.labels, statistics),
        n_test=len(test.labels),
    )


@torch.inference_mode()
def logits_of(trained, images):
    """What a network says of uint8 images, as its training would see it."""
    return trained.network()(normalised(images, trained.statistics))
