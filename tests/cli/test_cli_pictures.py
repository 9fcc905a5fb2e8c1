"""Photos on their side and transparent icons, from the folder to the handed-over network."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import torch
from commands import TINY, Shell
from PIL import Image

from optuna_egnas import load_linked_studies
from optuna_egnas._finals import load_final
from optuna_egnas.evaluation._images import read_image


def draw_icons(folder: Path) -> None:
    """Icons whose shape is in their transparency only, stored on their side."""
    noise, exif = np.random.default_rng(0), Image.Exif()
    exif[0x0112] = 6
    for label, name in enumerate(("left", "right")):
        (folder / name).mkdir(parents=True)
        for index in range(20):
            values = np.full((12, 8, 4), 255, dtype=np.uint8)
            values[:, :, 3] = noise.integers(0, 60, (12, 8))
            values[6 * label : 6 * label + 6, :, 3] += 190
            Image.fromarray(values).save(folder / name / f"{index}.png", exif=exif)


def test_a_network_reads_images_as_its_search_did(egnas: Shell) -> None:
    draw_icons(egnas.folder / "icons")
    text = TINY.replace('"digits"', '"folder:icons"').replace("subset = 200", "")
    egnas.write("s.toml", f'{text}[data]\nimage_size = 8\nground = "black"\n')

    assert egnas("search", "s.toml").code == 0
    assert egnas("train", "tiny", "--epochs", "1").code == 0
    assert egnas("export", "--format", "python", "--out", "icons_net.py").code == 0
    ran = egnas("predict", "icons/left/0.png", "icons/right/0.png")

    assert (ran.code, ran.err) == (0, "")
    storage = f"sqlite:///{egnas.folder}/egnas.db"
    trained = load_final(load_linked_studies(storage=storage, name="tiny"))
    assert (trained.input_shape, trained.reading, trained.ground) == ((1, 8, 8), 2, "black")
    read = runpy.run_path(str(egnas.folder / "icons_net.py"))["read_image"]
    for file in (egnas.folder / "icons").glob("*/*.png"):
        found = read_image(file, (8, 8), 1, ground="black")
        assert torch.equal(read(file)[0], found)
        # Upright, what is stored above is at the right.
        bright = found.float().mean((0, 1))
        assert (bright[:4].mean() > bright[4:].mean()) == (file.parent.name == "right")

    egnas.refuses("search", "s.toml", "--ground", "fog", saying=("ground", "fog"))
    egnas.refuses("search", "s.toml", "--ground", "gray", saying=("ground", "'black'", "'gray'"))
