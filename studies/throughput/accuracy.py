"""The same training by the plain loop and by ours, on Fashion-MNIST: validation accuracy."""

from __future__ import annotations

from dataclasses import replace

import torch
from plain import PlainNetwork, PlainTraining

from optuna_egnas import Architecture
from optuna_egnas.evaluation.data.labelled import load_training, split
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.networks import build
from optuna_egnas.options import DataOptions, Recipe

ARMS = ("plain", "fp32", "bf16")
EPOCHS = 8
IMAGES = 3000
VALID_FRACTION = 1 / 3
ARCHITECTURE = Architecture.chain(depth=10, width=16)


def accuracy(arm: str, seed: int, root: str | None) -> float:
    """After the last epoch, as a fraction; images, split and first weights follow the seed."""
    data = load_training("fashion-mnist", DataOptions(root=root), reading=1)
    training, validation = split(data, valid_fraction=VALID_FRACTION, seed=seed, subset=IMAGES)
    network = build(
        ARCHITECTURE,
        input_shape=data.input_shape,
        classes=data.classes,
        generator=torch.Generator().manual_seed(seed),
    )
    if arm != "plain":
        recipe = replace(Recipe.for_images(data.input_shape, flip=False), precision=arm)
        run = train(
            network, training, validation, epochs=EPOCHS, recipe=recipe, seed=seed, device="cpu"
        )
        return [record.valid_accuracy for record in run][-1]
    torch.manual_seed(seed)
    plain = PlainNetwork(ARCHITECTURE, data.input_shape[0], data.classes)
    plain.load_state_dict(network.state_dict())
    loop = PlainTraining(
        network=plain,
        training=training,
        validation=validation,
        statistics=channel_statistics(training.images),
        epochs=EPOCHS,
    )
    return [loop.epoch() for _ in range(EPOCHS)][-1]
