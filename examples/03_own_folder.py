"""Your own images in one folder per class: here coloured discs and squares, drawn on the spot."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from optuna_egnas import search
from optuna_egnas.options import DataOptions, SearchOptions

folder = Path("shapes")
random = np.random.default_rng(0)
for shape in ("disc", "square"):
    (folder / shape).mkdir(parents=True, exist_ok=True)
    for number in range(100):
        image = Image.new("RGB", (40, 40), "black")
        left, top = (int(v) for v in random.integers(2, 18, 2))
        box = (left, top, left + 18, top + 18)
        draw = ImageDraw.Draw(image)
        colour = tuple(int(v) for v in random.integers(140, 256, 3))
        (draw.ellipse if shape == "disc" else draw.rectangle)(box, outline=colour, width=3)
        image.save(folder / shape / f"{number:03}.png")

# On the command line: egnas search folder:shapes --image-size 16 --max-params 5000
options = SearchOptions(
    data=DataOptions(image_size=16),
    macro={
        "min_depth": 2,
        "max_depth": 4,
        "min_width": 4,
        "max_width": 8,
        "base_epochs": 8,
        "max_params": 5000,
    },
    micro={"epochs": 6},
)
studies = search(f"folder:{folder}", storage="sqlite:///shapes.db", options=options)

print(studies.result().to_json())
