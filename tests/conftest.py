"""What all tests share: quiet Optuna, and the recorded searches beside the checkout."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

TRACES = Path(__file__).parents[2] / "shared" / "reference" / "egnas-traces"


@pytest.fixture(autouse=True, scope="session")
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(scope="session")
def recorded() -> list[Path]:
    """The recorded searches; a test that needs them is skipped where they are not there."""
    files = sorted(TRACES.glob("*.json"))
    if not files:
        pytest.skip("the recorded searches are not beside this checkout")
    return files
