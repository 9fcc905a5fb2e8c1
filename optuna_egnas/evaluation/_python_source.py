"""A trained network as one Python module that needs torch and nothing else.

It is written as a person would write it, so that it can be read, changed and trained further. Its
weights are in the file of the same name that ends with .pt, as `_formats` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from textwrap import indent
from typing import TYPE_CHECKING

from torch import nn

from .._core.cost import count_params
from ..errors import SearchError
from ._network import layer_module

if TYPE_CHECKING:
    from .._core.architecture import Layer
    from ._trained import TrainedNetwork

LINE = 88
"""Columns of a line that ruff and black leave alone."""

FUNCTIONS = {
    "sep": (
        "separable",
        '''\
def separable(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """ReLU, a depthwise and a pointwise convolution, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Sequential(
            nn.Conv2d(
                inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False
            ),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        ),
        nn.BatchNorm2d(outputs),
    )
''',
    ),
    "conv": (
        "convolution",
        '''\
def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """ReLU, a convolution, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )
''',
    ),
}
"""For each operation the function of a layer that holds it, its parts named as in `_network`."""

READER = '''\


def read_image(path: str | Path) -> Tensor:
    """An image file as pixels [1, {channels}, {height}, {width}], as the search read its own.

    It is turned upright, laid on a ground where it is transparent, and resized. This needs
    Pillow, and 8 bits a channel.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as stored:
        image = ImageOps.exif_transpose(stored).convert("RGBA")
    ground = Image.new("RGBA", image.size, {ground})
    image = Image.alpha_composite(ground, image).convert("{mode}")
    image = image.resize(({width}, {height}), Image.Resampling.BILINEAR)
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return values.view(1, {height}, {width}, {channels}).permute(0, 3, 1, 2)
'''
"""What else a module holds of a network that takes image files, and reads them as since 0.2.0."""

MODULE = '''\
"""The network that the search {search} has found.

    from {module} import {imported}

    logits = load()({argument})  # uint8 pixels {images}
    names = [CLASS_NAMES[answer] for answer in logits.argmax(1)]

{facts}
The weights are in {module}.pt beside this file; torch is all that is needed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_suffix(".pt")
# Of this file.
SHA256 = "{checksum}"
CLASS_NAMES = {class_names}

# Of each channel of the training images, in units of uint8 pixels.
MEAN = {mean}
STD = {std}


{functions}class Network(nn.Module):
    """Pixels {images} to logits [N, {classes}].

    The pixels are uint8, or floats from 0 to 1; they are normalised in here.
    """

    def __init__(self) -> None:
        super().__init__()
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.stem = nn.Sequential(
            nn.Conv2d({channels}, {width}, 3, padding=1, bias=False),
            nn.BatchNorm2d({width}),
        )
        self.layers = nn.Sequential(
{layers}
        )
        self.head = nn.Linear({features}, {classes})

    def forward(self, images: Tensor) -> Tensor:
        pixels = images * 255 if images.is_floating_point() else images.float()
        features = self.layers(self.stem((pixels - self.mean) / self.std))
        return self.head(features.mean((2, 3)))


def load(path: str | Path = WEIGHTS) -> Network:
    """The trained network, in evaluation mode, on the CPU; other weights from another file."""
    if Path(path) == WEIGHTS:
        found = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
        if found != SHA256:
            raise ValueError(f"{{path}} must have the SHA-256 {{SHA256}}, but has {{found}}")
    network = Network()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(stored["weights"])
    return network.eval()
{reader}'''


def python_source(trained: TrainedNetwork, module: str, checksum: str) -> str:
    """The module's text; `module` is the name by which it will be imported.

    `checksum` is the SHA-256 of the file of its weights, in hexadecimal digits.

    Raises:
        SearchError: an operation from outside holds modules that are not torch's own.
    """
    layers = trained.architecture.layers()
    channels, height, width = trained.input_shape
    reader = _reader(trained)
    ops = [op for op in dict.fromkeys(trained.architecture.ops) if op in FUNCTIONS]
    text = MODULE.format(
        search=_quoted(trained.search),
        module=module,
        checksum=checksum,
        imported=f"CLASS_NAMES, load{', read_image' if reader else ''}",
        argument='read_image("photo.jpg")' if reader else "images",
        images=f"[N, {channels}, {height}, {width}]",
        facts=_facts(trained),
        class_names=_tuple(map(_literal, trained.class_names)),
        mean=_tuple(map(repr, trained.mean)),
        std=_tuple(map(repr, trained.std)),
        functions="".join(f"{FUNCTIONS[op][1]}\n\n" for op in ops),
        classes=len(trained.class_names),
        channels=channels,
        width=layers[0].inputs,
        layers="\n".join(f"{indent(_written(layer), 12 * ' ')}," for layer in layers),
        features=layers[-1].outputs,
        reader=reader,
    )
    # A folder's name need not be text, and a file's must be: what is left is escaped.
    return text.encode(errors="backslashreplace").decode()


def _reader(trained: TrainedNetwork) -> str:
    """The function that reads an image file; none for networks that cannot take one."""
    channels, height, width = trained.input_shape
    if trained.reading == 1 or channels not in (1, 3):
        return ""
    return READER.format(
        channels=channels,
        height=height,
        width=width,
        mode="L" if channels == 1 else "RGB",
        ground=_literal(trained.ground),
    )


def _written(layer: Layer) -> str:
    if layer.op not in FUNCTIONS:
        return _spelled_out(layer_module(layer), layer.op)
    stride = "" if layer.stride == 1 else f", stride={layer.stride}"
    function = FUNCTIONS[layer.op][0]
    return f"{function}({layer.inputs}, {layer.outputs}, kernel={layer.kernel}{stride})"


def _spelled_out(module: nn.Module, op: str) -> str:
    """A module of an operation from outside, by torch's own modules that it is made of."""
    if type(module) is nn.Sequential:
        parts = [f"{indent(_spelled_out(part, op), '    ')},\n" for part in module]
        return f"nn.Sequential(\n{''.join(parts)})"
    kind = type(module)
    if [*module.children()] or getattr(nn, kind.__name__, None) is not kind:
        raise SearchError(
            "As python, a network must be made of torch's own modules in sequence, but its "
            f"operation {op!r} holds a {kind.__name__}: choose another format."
        )
    if isinstance(module, nn.BatchNorm2d):
        # Torch's own words name an argument that older releases do not know.
        return f"nn.BatchNorm2d({module.num_features})"
    # As torch shows it; what that leaves out is found when the two networks are compared.
    return f"nn.{module!r}"


def _facts(trained: TrainedNetwork) -> str:
    architecture, classes = trained.architecture, len(trained.class_names)
    params = count_params(architecture, trained.input_shape, classes)
    size = f"Depth {architecture.depth}, width {architecture.width}, {params:,} parameters"
    if trained.test_accuracy is None:
        return f"{size}."
    test = f"{100 * trained.test_accuracy:.2f} % of {trained.n_test:,} test images right"
    return f"{size}; {test}."


def _quoted(text: str) -> str:
    """A string in double quotes: what JSON escapes, Python reads alike."""
    return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> str:
    """A string as a formatter would write it: in the quotes that need the fewest escapes."""
    return repr(text) if '"' in text and "'" not in text else _quoted(text)


def _tuple(items: Iterable[str]) -> str:
    """A tuple on one line, or on one line per item, as a formatter would write it."""
    values = list(items)
    line = f"({', '.join(values)}{',' if len(values) == 1 else ''})"
    if len("CLASS_NAMES = ") + len(line) <= LINE:
        return line
    return "(\n" + "".join(f"    {value},\n" for value in values) + ")"
