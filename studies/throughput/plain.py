"""A plain training loop, in the style in which such networks are usually published.

A Dataset of PIL images, their transforms one image at a time, a DataLoader with two workers,
batches of 64, contiguous tensors in fp32, torch's own convolutions, validation after each epoch.
Written for this comparison; it trains the networks that the package trains.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, RandomCrop, ToTensor

from optuna_egnas import Architecture
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import ChannelStatistics

WORKERS = 2
BATCH = 64


class Cutout:
    """A square of a random centre becomes 0."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Tensor) -> Tensor:
        height, width = image.shape[1:]
        row, column = (int(torch.randint(size, ())) for size in (height, width))
        top, left = max(row - self.side // 2, 0), max(column - self.side // 2, 0)
        bottom, right = row - self.side // 2 + self.side, column - self.side // 2 + self.side
        image[:, top:bottom, left:right] = 0.0
        return image


class Pictures(Dataset[tuple[Tensor, int]]):
    """PIL images, transformed each time that one is asked for."""

    def __init__(self, data: LabelledImages, transform: Compose) -> None:
        arrays = data.images.permute(0, 2, 3, 1).squeeze(3).numpy()
        self.images = [Image.fromarray(array) for array in arrays]
        self.labels = data.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class PlainNetwork(nn.Module):
    """The network of an architecture of separable convolutions; the package's state-dict names."""

    def __init__(self, architecture: Architecture, channels: int, classes: int) -> None:
        super().__init__()
        layers = []
        for layer in architecture.layers():
            inputs, outputs, size = layer.inputs, layer.outputs, layer.kernel
            depthwise = nn.Conv2d(
                inputs, inputs, size, layer.stride, size // 2, groups=inputs, bias=False
            )
            pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
            operation = nn.Sequential(depthwise, pointwise)
            layers.append(nn.Sequential(nn.ReLU(), operation, nn.BatchNorm2d(outputs)))
        width = architecture.layers()[0].inputs
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(outputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(self.stem(images)).mean((2, 3)))


@dataclass(kw_only=True)
class PlainTraining:
    """The loop; `epoch` trains and validates once and returns the validation accuracy."""

    network: nn.Module
    training: LabelledImages
    validation: LabelledImages
    statistics: ChannelStatistics
    epochs: int

    def __post_init__(self) -> None:
        side = min(self.training.images.shape[2:])
        normalise = Normalize(*((value / 255).flatten().tolist() for value in self.statistics))
        augment = Compose(
            [
                RandomCrop(side, padding=round(side / 8)),
                ToTensor(),
                normalise,
                Cutout(round(side / 2)),
            ]
        )
        # Workers that stay: with so few images, starting them anew each epoch would be unfair.
        self.loader = DataLoader(
            Pictures(self.training, augment),
            BATCH,
            shuffle=True,
            num_workers=WORKERS,
            persistent_workers=True,
        )
        self.valid_loader = DataLoader(
            Pictures(self.validation, Compose([ToTensor(), normalise])),
            BATCH,
            num_workers=WORKERS,
            persistent_workers=True,
        )
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, self.epochs * len(self.loader)
        )

    def epoch(self) -> float:
        self.network.train()
        for images, labels in self.loader:
            self.optimizer.zero_grad()
            loss = cross_entropy(self.network(images), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
            self.schedule.step()
            loss.item()  # for a progress line
        self.network.eval()
        correct = 0
        with torch.no_grad():
            for images, labels in self.valid_loader:
                correct += (self.network(images).argmax(1) == labels).sum().item()
        return correct / len(self.validation.labels)
