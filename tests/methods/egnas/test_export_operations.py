"""Exported networks with operations from outside this package."""

import subprocess
import sys

import pytest
from exporting import lively
from torch import nn

from optuna_egnas import Architecture, Operation, register_operation
from optuna_egnas._methods.egnas.operations import OPERATIONS
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.trained.export import export_network
from optuna_egnas.evaluation.trained.formats import FORMATS


class Twice(nn.Module):
    """Somebody's own module."""

    def forward(self, features):
        return features + features if self.scale(features) else features

    def scale(self, features):
        return bool(features.sum() > 0)


def pooled(inputs, outputs, kernel, stride):
    """An operation of torch's own modules."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.AvgPool2d(kernel, stride, kernel // 2),
        nn.Hardswish(),
    )


def discreet(inputs, outputs, kernel, stride):
    """One with a setting that torch does not show."""
    pool = nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), pool)


def twice(inputs, outputs, kernel, stride):
    """One that no tracer follows, since what it does depends on the values."""
    return nn.Sequential(pooled(inputs, outputs, kernel, stride), Twice())


@pytest.fixture
def outside(monkeypatch):
    """Operations from outside."""
    monkeypatch.setattr("optuna_egnas._methods.egnas.operations.OPERATIONS", dict(OPERATIONS))
    for name in ("pooled", "discreet", "twice"):
        register_operation(
            Operation(name=name, weights=lambda p, c, k: p * c, module=f"{__name__}:{name}")
        )


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("format", FORMATS)
def test_operations_from_outside_are_handed_over_too(tmp_path, format):
    architecture = Architecture(width=4, ops=("pooled", "sep", "pooled"), kernels=(3, 3, 5))

    exported = export_network(lively(architecture), tmp_path, format=format)

    if format == "python":
        text = exported.files[0].read_text()
        assert "nn.AvgPool2d(kernel_size=3, stride=1, padding=1)" in text
        ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", str(tmp_path)]
        assert subprocess.run(ruff, capture_output=True).returncode == 0


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    ("format", "op", "reason"),
    [
        ("python", "twice", "its operation 'twice' holds a Twice: choose another format"),
        ("python", "discreet", "must give the trained one's logits within"),
        ("torch-export", "twice", "Cannot write this network as .pt2: "),
        ("onnx", "twice", "Cannot write this network as .onnx: "),
    ],
)
def test_what_cannot_be_written_is_refused_on_one_line(tmp_path, format, op, reason):
    trained = lively(Architecture.chain(depth=2, width=2, op=op))

    with pytest.raises(SearchError) as refusal:
        export_network(trained, tmp_path, format=format)

    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not [*tmp_path.iterdir()]
