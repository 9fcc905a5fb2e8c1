"""Holds an ONNX graph against what it is to calculate, before anything of it is run.

A graph of a few bytes can name files to read, loop without end, or fill any memory. So there is
nothing but plain operations, whose outputs all have a known size for a given number of images.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from ..._core.network import Shape
from ..._core.text import reason, short

LARGEST_PASS = 2**30
"""Bytes that all values of a graph may take at once."""
USUAL_PASS = 2**28
USUAL_BATCH = 64
INPUT, OUTPUT = "images", "logits"


def check_graph(model: Any, input_shape: Shape, classes: int) -> int:
    """How many images a graph can take at once; none is taken from `input_shape` and `classes`.

    `model` is onnx.ModelProto: uint8 images [N, *input_shape] to float32 logits [N, classes].

    Raises:
        ValueError: it is anything else, or needs too much memory for one image.
    """
    import onnx

    _check_parts(model)
    _check_end(model.graph.input, INPUT, onnx.TensorProto.UINT8, input_shape)
    _check_end(model.graph.output, OUTPUT, onnx.TensorProto.FLOAT, (classes,))
    for tensor in _tensors(model):
        _check_tensor(tensor)
    try:
        onnx.checker.check_model(model)
    # protobuf and onnx have errors of their own, which depend on how they were built.
    except Exception as error:
        raise ValueError(f"onnx refuses it: {reason(error)}") from None
    needed = _needed(model, input_shape, classes, 1)
    if needed > LARGEST_PASS:
        raise ValueError(
            f"an image must take at most {LARGEST_PASS:,} bytes, but takes {short(needed)}"
        )
    batch = max(1, min(USUAL_BATCH, USUAL_PASS // needed))
    return batch if _needed(model, input_shape, classes, batch) <= LARGEST_PASS else 1


def _check_parts(model: Any) -> None:
    import onnx

    graph, newest = model.graph, onnx.defs.onnx_opset_version()
    for each in model.opset_import:
        if not each.domain and not 1 <= each.version <= newest:
            raise ValueError(f"its opset must be 1 to {newest}, but is {each.version}")
    if len(model.functions) or len(model.training_info) or len(graph.sparse_initializer):
        raise ValueError("it must hold one graph of plain operations and tensors, but holds more")
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(
                f"its operations must be ONNX's own, but one is of {short(node.domain)}"
            )
        if any(_holds_more(each) for each in node.attribute):
            raise ValueError(
                f"its operations must be plain, but {short(node.op_type)} holds a graph"
            )


def _check_end(ends: Any, name: str, kind: int, shape: tuple[int, ...]) -> None:
    """Refuse another input or output than one for any number of images."""
    found = [
        (each.name, each.type.tensor_type.elem_type, _dims(each.type.tensor_type)) for each in ends
    ]
    if found != [(name, kind, [None, *shape])]:
        sizes = ", ".join(map(str, ("N", *shape)))
        raise ValueError(f"it must have {name} [{sizes}], but has {short(found)}")


def _dims(tensor: Any) -> list[int | None]:
    """The sizes of a value; None where one is not known."""
    return [each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim]


def _holds_more(attribute: Any) -> bool:
    """Whether there is something in it beside numbers, texts and one tensor."""
    return bool(
        attribute.HasField("g")
        or attribute.HasField("sparse_tensor")
        or len(attribute.graphs)
        or len(attribute.sparse_tensors)
        or attribute.ref_attr_name
    )


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t


def _check_tensor(tensor: Any) -> None:
    import onnx

    if tensor.data_location or len(tensor.external_data) or tensor.HasField("segment"):
        raise ValueError(
            f"its tensors must lie in it, but {short(tensor.name)} is in another file"
        )
    try:
        values = onnx.numpy_helper.to_array(tensor)
    # What does not fit its shape makes numpy and onnx raise errors of many kinds.
    except Exception as error:
        raise ValueError(f"{short(tensor.name)} is no tensor: {reason(error)}") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{short(tensor.name)} must hold finite numbers, but does not")


def _needed(model: Any, input_shape: Shape, classes: int, batch: int) -> int:
    """Bytes that the values of a pass over so many images take, at most at one time.

    What does not depend on the images is calculated once, and kept.
    """
    sizes = _sizes(model, input_shape, classes, batch)
    nodes = model.graph.node
    last = {name: index for index, node in enumerate(nodes) for name in node.input}
    depend = {INPUT}
    alive = sum(len(each.SerializeToString()) for each in _tensors(model))
    alive += sizes[INPUT]
    most = alive
    for index, node in enumerate(nodes):
        outputs = [name for name in node.output if name]
        alive += sum(sizes[name] for name in outputs)
        most = max(most, alive)
        if depend.isdisjoint(node.input):
            continue
        depend.update(outputs)
        ended = {name for name in node.input if name in depend and last[name] == index}
        ended |= {name for name in outputs if name not in last and name != OUTPUT}
        alive -= sum(sizes[name] for name in ended)
    return most


def _sizes(model: Any, input_shape: Shape, classes: int, batch: int) -> dict[str, int]:
    """Bytes of the images and of each operation's outputs, as onnx infers them."""
    import onnx

    given = type(model)()
    given.CopyFrom(model)
    # What the file says of its own values is no evidence.
    del given.graph.value_info[:]
    del given.graph.input[:], given.graph.output[:]
    make = onnx.helper.make_tensor_value_info
    given.graph.input.append(make(INPUT, onnx.TensorProto.UINT8, [batch, *input_shape]))
    given.graph.output.append(make(OUTPUT, onnx.TensorProto.FLOAT, [batch, classes]))
    try:
        inferred = onnx.shape_inference.infer_shapes(
            given, check_type=True, strict_mode=True, data_prop=True
        )
    # As above.
    except Exception as error:
        raise ValueError(
            f"it must make logits [N, {classes}] of images [N, {short(input_shape)[1:-1]}], but "
            f"cannot: {reason(error)}"
        ) from None
    graph = inferred.graph
    sizes = {each.name: _bytes(each) for each in (*graph.input, *graph.output, *graph.value_info)}
    for node in graph.node:
        for name in node.output:
            if name and sizes.get(name) is None:
                raise ValueError(
                    f"its values must be of known sizes, but {short(node.op_type)} gives others"
                )
    return {name: size for name, size in sizes.items() if size is not None}


def _bytes(value: Any) -> int | None:
    """Bytes of a value; None where its kind or its shape is not known."""
    import onnx

    tensor = value.type.tensor_type
    known = value.type.HasField("tensor_type") and tensor.HasField("shape") and tensor.elem_type
    dims = [-1 if each is None else each for each in _dims(tensor)]
    if not known or min(dims, default=0) < 0:
        return None
    return prod(dims) * max(1, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize)
