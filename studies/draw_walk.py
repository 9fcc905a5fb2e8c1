"""Draw the walk of a recorded search: `python studies/draw_walk.py walk.json walk.png`.

Needs kaleido and a Chromium: `pip install 'optuna-egnas[png]'`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import optuna
from optuna.storages import InMemoryStorage

from optuna_egnas import load_linked_studies, visualization
from optuna_egnas._trace import read_trace
from optuna_egnas.replay import replay


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trace, storage = read_trace(source), InMemoryStorage()
    replay(trace, storage=storage, name=trace.dataset)
    studies = load_linked_studies(storage=storage, name=trace.dataset)
    visualization.plot_walk(studies).write_image(target, width=1000, height=460, scale=1.5)


if __name__ == "__main__":
    main()
