"""Exported networks: each format calculates what was trained, by itself, or is not written."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exporting import EVERYTHING, digits, lively, logits_of
from small_trainings import samples

import optuna_egnas
from optuna_egnas import Architecture
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.trained import export as _export
from optuna_egnas.evaluation.trained import onnx as _onnx
from optuna_egnas.evaluation.trained.export import count_right, export_network
from optuna_egnas.evaluation.trained.formats import FORMATS

COLOUR = (3, 9, 12)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "trained",
    [
        pytest.param(lively(Architecture.chain(depth=1, width=2)), id="one layer, gray"),
        pytest.param(lively(EVERYTHING, shape=COLOUR), id="every operation and kernel, colour"),
        pytest.param(lively(Architecture.chain(depth=14, width=3, op="conv")), id="deep"),
    ],
)
def test_every_format_gives_the_trained_networks_logits(tmp_path, format, trained):
    exported = export_network(trained, tmp_path, format=format)

    images = samples(7, seed=1, shape=trained.input_shape).images
    expected = logits_of(trained, images)
    logits = FORMATS[format].read(exported.files[0])
    for count in (1, 7):
        with torch.inference_mode():
            torch.testing.assert_close(logits(images[:count]), expected[:count], atol=1e-4, rtol=0)
    assert expected.std(dim=0).min() > 0.01, "the logits tell something"
    assert exported.difference <= exported.tolerance < 1e-2
    assert (exported.compared, exported.images) == (128, "generated images")


@pytest.fixture(scope="module")
def digits_in(tmp_path_factory):
    """The files of the network of the digits by their formats, all in one folder."""
    folder, test = tmp_path_factory.mktemp("digits"), load_test("digits")
    exported = [
        export_network(digits(), folder, format=format, test=test, overwrite=True)
        for format in FORMATS
    ]
    return {each.format: each.files[0] for each in exported}


@pytest.mark.parametrize("format", FORMATS)
def test_the_reloaded_accuracy_is_the_reported_one(digits_in, format):
    trained = digits()

    correct = count_right(FORMATS[format].read(digits_in[format]), load_test("digits"))

    assert correct == trained.test_correct
    assert trained.test_accuracy > 0.8


def test_another_accuracy_than_the_reported_one_is_refused(tmp_path):
    trained = replace(digits(), test_correct=digits().test_correct - 1)

    with pytest.raises(SearchError, match=f"must get {trained.test_correct} of 359 test images"):
        export_network(trained, tmp_path, format="state-dict", test=load_test("digits"))

    assert not [*tmp_path.iterdir()]


def test_without_a_test_there_is_none_to_check(tmp_path):
    with pytest.raises(SearchError, match="must have been reported"):
        export_network(lively(EVERYTHING), tmp_path, format="state-dict", test=samples(5))


ALONE = """\
import sys
sys.modules["optuna_egnas"] = None
import onnxruntime, torch, digits
given = torch.load("given.pt", weights_only=True)
session = onnxruntime.InferenceSession("digits.onnx", providers=["CPUExecutionProvider"])
program = torch.export.load("digits.pt2").module()
for logits in (
    digits.load()(given["images"]),
    digits.load("digits.pt")(given["images"] / 255),
    program(given["images"]),
    torch.from_numpy(session.run(None, {"images": given["images"].numpy()})[0]),
):
    torch.testing.assert_close(logits, given["logits"], atol=1e-4, rtol=0, check_stride=False)
assert [digits.CLASS_NAMES[i] for i in logits.argmax(1)] == list(given["names"])
print("alone")
"""


def test_nothing_of_this_package_is_needed(digits_in):
    trained, images = digits(), load_test("digits").images[:20]
    logits, folder = logits_of(trained, images).clone(), digits_in["python"].parent
    names = [trained.class_names[index] for index in logits.argmax(1)]
    torch.save({"images": images, "logits": logits, "names": names}, folder / "given.pt")

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE], cwd=folder, capture_output=True, text=True
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "alone\n", "")


NAMES = ('Käse, "roh"', "it's", "back\\slash", "{brace}", "line\nbreak", "\udc80", '"""')


@pytest.mark.parametrize(
    "trained",
    [
        pytest.param(digits(), id="all kernels"),
        pytest.param(
            lively(Architecture.chain(depth=2, width=2, op="conv"), shape=COLOUR, classes=100),
            id="many classes",
        ),
        pytest.param(
            replace(
                lively(Architecture.chain(depth=26, width=64), classes=len(NAMES)),
                search='a "search"""\\',
                class_names=NAMES,
            ),
            id="odd names",
        ),
    ],
)
def test_the_module_reads_well(tmp_path, trained):
    module, _ = export_network(trained, tmp_path, format="python").files

    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(module)]
        ran = subprocess.run(ruff, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout
    found = {"__file__": str(module), "__name__": "module"}
    exec(compile(module.read_text(encoding="utf-8"), module.name, "exec"), found)
    assert found["CLASS_NAMES"] == trained.class_names
    assert trained.search in found["__doc__"]
    assert (
        "import CLASS_NAMES, load, read_image\n\n"
        '    logits = load()(read_image("photo.jpg"))  # uint8' in found["__doc__"]
    )


def test_the_module_says_layer_by_layer_what_it_is(tmp_path):
    trained = replace(lively(EVERYTHING, shape=COLOUR), test_correct=30, n_test=40)

    module, _ = export_network(trained, tmp_path, format="python").files

    text = module.read_text()
    assert (
        """\
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
        )
        self.layers = nn.Sequential(
            separable(8, 4, kernel=3),
            convolution(4, 4, kernel=3),
            separable(4, 8, kernel=5, stride=2),
            convolution(8, 8, kernel=5),
            convolution(8, 16, kernel=7, stride=2),
            separable(16, 16, kernel=7),
        )
        self.head = nn.Linear(16, 10)
"""
        in text
    )
    assert "75.00 % of 40 test images right." in text


PLAIN = {"conv2d", "batch_norm", "relu", "mean", "linear", "to", "sub", "div"}


def test_graphs_hold_plain_operations_and_no_word_of_this_machine(digits_in):
    program, graph = digits_in["torch-export"], digits_in["onnx"]

    nodes = torch.export.load(program).graph.nodes
    calls = [node.target.name() for node in nodes if node.op == "call_function"]
    assert {call.removeprefix("aten::").split(".")[0] for call in calls} <= PLAIN | {
        "_assert_tensor_metadata"
    }
    assert calls.count("aten::conv2d") == 1 + 3 + 2 * 3
    model = onnx.load(graph)
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Pad", "Slice", "Unsqueeze"})
    assert not model.functions
    with zipfile.ZipFile(program) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    here = str(Path(optuna_egnas.__file__).parents[1]).encode()
    assert not [part for part in [*contents, graph.read_bytes()] if here in part]


def test_files_say_what_they_hold(digits_in):
    trained, program, graph = digits(), digits_in["torch-export"], digits_in["onnx"]

    stored = torch.load(digits_in["state-dict"], weights_only=True)
    extra = {"metadata.json": ""}
    torch.export.load(program, extra_files=extra)
    props = {entry.key: entry.value for entry in onnx.load(graph).metadata_props}
    assert len(props.pop("sha256")) == 64
    written = [
        stored["metadata"],
        json.loads(extra["metadata.json"]),
        {key: json.loads(value) for key, value in props.items()},
    ]
    assert written[0] == written[1] == written[2]
    assert written[0]["input"] == "images: uint8 pixels 0 to 255, [N, 1, 8, 8]"
    assert written[0]["class_names"] == list("0123456789")
    assert written[0]["test_correct"] == trained.test_correct
    assert stored["weights"].keys() == trained.weights.keys()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape) == (
        "images",
        "tensor(uint8)",
        ["batch", 1, 8, 8],
    )


def test_what_is_no_pixel_is_refused_by_the_graph(digits_in):
    """Floats from 0 to 1 would give logits, too, only wrong ones."""
    floats = np.zeros((1, 1, 8, 8), dtype=np.float32)
    program, graph = digits_in["torch-export"], digits_in["onnx"]

    with pytest.raises(RuntimeError, match="Expected: Byte"):
        torch.export.load(program).module()(torch.from_numpy(floats))
    with pytest.raises(Exception, match="expected: \\(tensor\\(uint8\\)\\)"):
        onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(
            None, {"images": floats}
        )


@pytest.mark.parametrize("format", FORMATS)
def test_two_exports_are_equal_to_the_byte(tmp_path, digits_in, format):
    again = export_network(digits(), tmp_path, format=format).files[0]

    assert again.read_bytes() == digits_in[format].read_bytes()
    export_network(digits(), digits_in[format].parent, format=format)


@pytest.mark.parametrize("change", [1e-3, float("nan")])
@pytest.mark.parametrize("format", ["state-dict", "python"])
def test_what_calculates_something_else_is_not_kept(tmp_path, monkeypatch, format, change):
    read = FORMATS[format].read
    wrong = replace(FORMATS[format], read=lambda path: lambda x: read(path)(x) + change)
    monkeypatch.setitem(FORMATS, format, wrong)

    with pytest.raises(SearchError, match=r"within 1\.\de-04, but differs by .* it was not kept"):
        export_network(lively(EVERYTHING), tmp_path, format=format)

    assert not [*tmp_path.iterdir()]


def test_what_killed_exports_left_is_cleared(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    names = {
        f"{_export._prefix(gone.pid)}abcd1234": False,
        f"{_export._prefix(os.getpid())}abcd1234": True,
        f".egnas-elsewhere-{gone.pid}-abcd1234": True,
        ".egnas-elsewhere-1-abcd1234": False,
        ".egnas-my-own-things": True,
    }
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "network.pt").write_bytes(b"torn")
    for name in (".egnas-elsewhere-1-abcd1234", ".egnas-my-own-things"):
        os.utime(tmp_path / name, (0, 0))

    export_network(lively(Architecture.chain(depth=1, width=1)), tmp_path, format="state-dict")

    assert {name: (tmp_path / name).exists() for name in names} == names


@pytest.mark.parametrize(
    ("search", "out", "format", "name"),
    [
        ("digits", None, "onnx", "digits.onnx"),
        ("fashion-mnist", None, "python", "fashion_mnist.py"),
        ("class", None, "python", "network_class.py"),
        ("2 cats / dogs", None, "state-dict", "network_2_cats_dogs.pt"),
        ("猫", None, "torch-export", "network.pt2"),
        ("digits", "mine.pt", "state-dict", "mine.pt"),
        ("digits", "my-net.onnx", "onnx", "my-net.onnx"),
    ],
)
def test_files_are_called_after_the_search(tmp_path, monkeypatch, search, out, format, name):
    monkeypatch.chdir(tmp_path)
    # What is written is tested above.
    plain = replace(FORMATS["state-dict"], suffix=FORMATS[format].suffix)
    monkeypatch.setitem(FORMATS, format, plain)
    trained = replace(lively(Architecture.chain(depth=1, width=1)), search=search)

    export_network(trained, out and tmp_path / out, format=format)

    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("format", "out", "reason"),
    [
        ("tflite", "x", "`format` must be one of state-dict, torch-export, onnx, python"),
        ("onnx", "x.pt", "must end with .onnx, but got .*x.pt"),
        ("python", "my-net.py", "a name that can be imported, such as my_net.py, but got my-net"),
        ("python", "import.py", "such as network_import.py"),
        ("state-dict", 300 * "x" + ".pt", "File name too long"),
        ("state-dict", "no/x.pt", "must exist, but there is none at .*no"),
        (
            "state-dict",
            "there.pt",
            "there.pt must be new, .* but another one is .* --overwrite",
        ),
        ("python", "there.py", "there.pt must be new"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, format, out, reason):
    (tmp_path / "there.pt").write_bytes(b"mine")

    with pytest.raises((InvalidSpace, SearchError), match=reason):
        export_network(lively(EVERYTHING), tmp_path / out, format=format)

    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("there.pt", b"mine")
    ]


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_onnx, "find_spec", lambda name: None if name == "onnxscript" else name)

    with pytest.raises(SearchError, match=r"onnxscript must be .* 'optuna-egnas\[onnx\]'"):
        export_network(lively(EVERYTHING), tmp_path, format="onnx")
