"""Your own images as two tensors: uint8 (or floats in [0, 1]) and class numbers."""

import torch

from optuna_egnas import search
from optuna_egnas.options import SearchOptions

# Stand-in for your data: noisy 12 x 12 images with a bright bar that lies or stands.
generator = torch.Generator().manual_seed(0)
labels = torch.arange(400) % 2
images = 0.5 * torch.rand(400, 1, 12, 12, generator=generator)
for image, label in zip(images, labels, strict=True):
    place = int(torch.randint(12, (1,), generator=generator))
    bar = image[:, place, :] if label else image[:, :, place]
    bar += 0.5

options = SearchOptions(
    macro={"min_depth": 2, "max_depth": 4, "min_width": 4, "max_width": 8, "base_epochs": 4},
    micro={"epochs": 4},
)
studies = search((images, labels), storage="sqlite:///bars.db", name="bars", options=options)

print(studies.result().to_json())
