"""Tensors and arrays of a user as images; what is unfit is refused with code that converts it."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError

FEW = 4
"""Most channels of an image whose last dimension may be that of the channels."""


def as_images(values: Any, place: str = "the images") -> Tensor:
    """Images as uint8 [N, C, H, W], from uint8 or from floats in [0, 1]; also from [N, H, W].

    Raises:
        DataError: they are anything else; it holds the code that converts them.
    """
    images = as_tensor(values, "images", place)
    if not images.numel():
        raise unfit("images must not be empty", [*images.shape], place)
    _check_shape(images, values, "images", place)
    images = as_bytes(images, values, "images", place)
    return images.unsqueeze(1) if images.ndim == 3 else images


def as_image(values: Any, place: str) -> Tensor:
    """One image as uint8 [C, H, W], from uint8 or from floats in [0, 1]; also from [H, W].

    Raises:
        DataError: it is anything else; it holds the code that converts it.
    """
    image = as_tensor(values, "image", place)
    if not image.numel():
        raise unfit("an image must not be empty", [*image.shape], place)
    _check_shape(image.unsqueeze(0), values, "image", place)
    image = as_bytes(image, values, "image", place)
    return image.unsqueeze(0) if image.ndim == 2 else image


def as_tensor(values: Any, name: str, place: str) -> Tensor:
    """A dense tensor on the CPU of what is a tensor or a numpy array."""
    if isinstance(values, Tensor):
        return dense(values, name, place)
    if isinstance(values, np.ndarray):
        return _from_array(values, name, place)
    right = f"{_noun(name)} must be a tensor or a numpy array"
    raise unfit(right, type(values).__name__, place, to_array(values, name))


def as_bytes(images: Tensor, given: Any, name: str, place: str) -> Tensor:
    """Images as uint8 0..255; `given` is what they were before."""
    if images.dtype == torch.uint8:
        return images
    right, is_tensor = _bytes_or_floats(name), isinstance(given, Tensor)
    kind = str(given.dtype).removeprefix("torch.")
    if images.dtype == torch.bool:
        raise unfit(right, kind, place, f"{cast(name, 'uint8', tensor=is_tensor)} * 255")
    if images.is_complex():
        raise unfit(right, kind, place, f"abs({name})")
    if not images.is_floating_point():
        low, high = int(images.long().min()), int(images.long().max())
        code = _scaled(name, low, high, tensor=is_tensor)
        raise unfit(right, f"{kind} from {low} to {high}", place, code)
    finite = images.isfinite()
    if not finite.all():
        found = f"{int((~finite).sum())} values that are NaN or infinite"
        library = "torch" if is_tensor else "np"
        raise unfit(right, found, place, f"{library}.nan_to_num({name}, posinf=1, neginf=0)")
    least, most = float(images.min()), float(images.max())
    if not (least >= 0 and most <= 1):
        found = f"{kind} from {least:g} to {most:g}"
        raise unfit(right, found, place, _floats(name, least, most))
    return images.float().mul(255).round().to(torch.uint8)


def unfit(right: str, found: object, place: str = "", code: str = "") -> DataError:
    """The error that says what must be, what was found where, and the code that helps."""
    where = f" in {place}" if place else ""
    help = f": {code}" if code else ""
    return DataError(" ".join(f"{right}, found {found}{where}{help}".split()))


def dense(values: Tensor, name: str, place: str) -> Tensor:
    """A tensor with values of its own kind, on the CPU and without a history."""
    right = f"{_noun(name)} must be a dense tensor with values"
    if values.is_meta:
        raise unfit(right, "one on the device meta", place)
    if values.is_nested:
        raise unfit(right, "a nested one", place, f"torch.stack({name}.unbind())")
    if values.is_quantized:
        raise unfit(right, values.dtype, place, f"{name}.dequantize()")
    if values.layout != torch.strided:
        raise unfit(right, values.layout, place, f"{name}.to_dense()")
    plain = values.detach().cpu().as_subclass(Tensor)
    # One that was made in inference mode can take no part in a training.
    return plain.clone() if plain.is_inference() else plain


def _from_array(values: np.ndarray[Any, Any], name: str, place: str) -> Tensor:
    if isinstance(values, np.ma.MaskedArray):
        raise unfit(f"{name} must be all there", "a masked array", place, f"{name}.filled(0)")
    if values.dtype.kind not in "buifc":
        code = f"np.stack({name})" if values.dtype == object else ""
        raise unfit(f"{name} must hold numbers", f"dtype {values.dtype}", place, code)
    native = np.asarray(values, values.dtype.newbyteorder("="))
    try:
        # A copy, since torch warns of arrays that cannot be written to, and takes no strides < 0.
        return torch.from_numpy(native.copy(order="C"))
    except TypeError:
        right = _bytes_or_floats(name)
        raise unfit(right, values.dtype, place, f'{name}.astype("float32")') from None


def to_array(values: Any, name: str) -> str:
    """The code that makes an array of this, if there is one."""
    if hasattr(values, "to_numpy"):
        return f"{name}.to_numpy()"
    if isinstance(values, (list, tuple)) and values and hasattr(values[0], "getpixel"):
        return "list(zip(images, labels))"
    if isinstance(values, (list, tuple)) and values:
        return f"torch.stack({name})" if isinstance(values[0], Tensor) else f"np.stack({name})"
    return f"np.asarray({name})" if hasattr(values, "__array__") else ""


def _check_shape(images: Tensor, given: Any, name: str, place: str) -> None:
    """Refuse images that are not [N, C, H, W] or [N, H, W]; of one image, N is left out."""
    single, shape = name == "image", [*images.shape]
    right = (
        "an image must be [C, H, W] or [H, W]"
        if single
        else ("images must be [N, C, H, W] or [N, H, W]")
    )
    code = ""
    if images.ndim == 4 and shape[3] <= FEW < shape[1]:
        code = _channels_first(name, tensor=isinstance(given, Tensor), single=single)
    elif images.ndim == 2:
        code = f"{name}.reshape({_picture_shape(shape[1], single=single)})"
    elif images.ndim == 5 and 1 in shape[1:]:
        code = f"{name}.squeeze({shape.index(1, 1) - single})"
    elif images.ndim in (3, 4):
        return
    raise unfit(right, shape[single:], place, code)


def _channels_first(name: str, *, tensor: bool, single: bool) -> str:
    if tensor:
        return f"{name}.permute({'2, 0, 1' if single else '0, 3, 1, 2'})"
    return f"np.moveaxis({name}, -1, {0 if single else 1})"


def _picture_shape(size: int, *, single: bool) -> str:
    """The shape of images that lie flat, as far as their size tells it."""
    first = () if single else ("-1",)
    for channels in (1, 3):
        side = isqrt(size // channels)
        if channels * side * side == size:
            depth = () if channels == 1 else (str(channels),)
            return ", ".join((*first, *depth, str(side), str(side)))
    return ", ".join((*first, "channels", "height", "width"))


def cast(name: str, kind: str, *, tensor: bool) -> str:
    """The code that makes a tensor, or an array, one of this kind."""
    return f"{name}.to(torch.{kind})" if tensor else f'{name}.astype("{kind}")'


def _scaled(name: str, low: int, high: int, *, tensor: bool) -> str:
    if low >= 0 and high <= 255:
        return cast(name, "uint8", tensor=tensor)
    if low >= 0:
        floats = f"{name}.float()" if tensor else name
        return f"{floats} / {65535 if high <= 65535 else f'{name}.max()'}"
    return f"({name} - {name}.min()) / ({name}.max() - {name}.min())"


def _bytes_or_floats(name: str) -> str:
    return f"{_noun(name)} must be uint8, or floats from 0 to 1"


def _noun(name: str) -> str:
    return "an image" if name == "image" else name


def _floats(name: str, low: float, high: float) -> str:
    """The code that brings floats to 0..1, by what they probably are."""
    if low >= -0.05 and high <= 1.05:
        return f"{name}.clip(0, 1)"
    if low < 0:
        code = "leave out Normalize, the search does that by itself"
        whole = f", or take ({name} - {name}.min()) / ({name}.max() - {name}.min())"
        return code + (whole if name == "images" else "")
    return f"{name} / {255 if high <= 255 else f'{name}.max()'}"
