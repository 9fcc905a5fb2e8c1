"""Draw a recorded search for the README and the documentation.

    python studies/draw_search.py studies/digits/walk.json docs

Needs kaleido and a Chromium: `pip install 'optuna-egnas[png]'`.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import optuna
from optuna.storages import InMemoryStorage
from PIL import Image

from optuna_egnas import load_linked_studies, visualization
from optuna_egnas.replay import read_trace, replay

HEIGHTS = {"walk": 460, "depth_width": 460, "learning_curves": 460, "macro_micro": 420}


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trace, storage = read_trace(source), InMemoryStorage()
    replay(trace, storage=storage, name=trace.dataset)
    studies = load_linked_studies(storage=storage, name=trace.dataset)
    for name, height in HEIGHTS.items():
        figure = getattr(visualization, f"plot_{name}")(studies)
        target = folder / f"{name.replace('_', '-')}.png"
        picture = figure.to_image("png", width=1000, height=height, scale=1.5)
        # Few colours keep the file small.
        Image.open(BytesIO(picture)).convert("RGB").quantize(64).save(target, optimize=True)
    drawing = visualization.network_svg(studies)
    (folder / "network.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
