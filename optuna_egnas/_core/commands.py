"""Options that several classes or commands have, and those of one command alone.

Each is declared here once. The fields of classes take the shared ones with `shared`; the command
line takes its own from here, and whoever is given such a value checks it by its `check`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from .bounds import LARGEST_INTEGER, LARGEST_NUMBER
from .declared import Declared, Option

PRECISION = Option(
    flag="--precision",
    help="precision of training and validation: fp32, or bf16 for bfloat16 autocast; in a search "
    "also auto, which times the first network when the search is created and takes bf16 where "
    "that is clearly faster",
)
DATA_FOLDER = Option(flag="--data-root", help="folder of the published data sets' files")
SKIP_BROKEN = Option(
    flag="--skip-broken",
    help="leave out images of folder:PATH that cannot be read, and list them",
)
ARTIFACTS = Option(
    flag="--artifacts",
    help="where checkpoints and other files are kept: a directory, s3://bucket/prefix or "
    "gs://bucket/prefix",
)
CHECKPOINT_EVERY = Option(
    flag="--checkpoint-every",
    help="least seconds between two checkpoints, each of which is written after an epoch",
    at_least=0,
    at_most=LARGEST_NUMBER,
)
CHECKPOINT_SECONDS = 10.0
"""The default of CHECKPOINT_EVERY."""

NETWORK = Option(
    flag="--network",
    help="the network: the name of a study for the best of it, largest, trial:ROLE/NUMBER, or "
    "within:POINTS for the smallest within so many points of the best",
    default="what the search found",
)

AS_STORED = "as stored"
IN_FOLDER = "data in the working directory"

DATASET = Declared(
    name="dataset",
    kind=str,
    default="digits",
    option=Option(
        help="digits, fashion-mnist, kmnist, emnist, cifar10, cifar100, folder:PATH, or a study "
        "file that ends in .toml"
    ),
)
STORAGE = Declared(
    name="storage",
    kind=str,
    default="sqlite:///egnas.db",
    option=Option(flag="--storage", help="where the studies are kept: a SQLAlchemy URL"),
)
GIVEN_STORAGE = replace(STORAGE, default=None)
REPLAY_STORAGE = replace(
    STORAGE, kind=str | None, default=None, option=replace(STORAGE.option, default="in memory")
)
NAME = Declared(
    name="name",
    kind=str | None,
    default=None,
    option=Option(flag="--name", help="the search's name", default="the data set's"),
)
ONLY_NAME = replace(NAME, option=replace(NAME.option, default="the only one there is"))
GIVEN_NAME = replace(NAME, kind=str, option=replace(NAME.option, default=""))
DEVICE = Declared(
    name="device",
    kind=str,
    default="auto",
    option=Option(flag="--device", help="where to train: auto, cpu, cuda, cuda:1, mps ..."),
)
WORKERS = Declared(
    name="workers",
    kind=int,
    default=1,
    option=Option(
        flag="--workers",
        help="worker processes; each gets a GPU of its own, or a share of the cores",
        at_least=1,
        at_most=LARGEST_INTEGER,
    ),
)
ENGINE = Declared(
    name="engine",
    kind=Literal["processes", "ray"],
    default="processes",
    option=Option(
        flag="--engine", help="what runs several workers: processes (here) or ray (a cluster)"
    ),
)
FORECAST_ONLY = Declared(
    name="forecast_only",
    kind=bool,
    default=False,
    option=Option(flag="--forecast-only", help="print size and time, train nothing"),
)
EPOCHS = Declared(
    name="epochs",
    kind=int | None,
    default=None,
    option=Option(
        flag="--epochs",
        help="epochs of each final training",
        default="as begun before, else 30 to 100, more for fewer images",
        at_least=1,
        at_most=LARGEST_INTEGER,
    ),
)
SEEDS = Declared(
    name="seeds",
    kind=int,
    default=1,
    option=Option(
        flag="--seeds",
        help="number of final trainings; finished ones count",
        at_least=1,
        at_most=LARGEST_INTEGER,
    ),
)
RECIPE_FIELD = Declared(
    name="recipe",
    kind=list[str] | None,
    default=None,
    option=Option(
        flag="--recipe",
        help="a field of the recipe, as NAME=VALUE; the option may be given several times",
        default="as suits the images, or as stored",
    ),
)
TRACE = Declared(
    name="trace",
    kind=Path | None,
    default=None,
    option=Option(flag="--trace", help="write the search to this file, for `egnas replay`"),
)
TRIAL = Declared(
    name="trial",
    kind=str | None,
    default=None,
    option=Option(flag="--trial", help="the trial for --rerun, as ROLE/NUMBER"),
)
RERUN = Declared(
    name="rerun",
    kind=bool,
    default=False,
    option=Option(flag="--rerun", help="train --trial again and compare it bit for bit"),
)
WALK = Declared(
    name="walk",
    kind=bool,
    default=False,
    option=Option(flag="--walk", help="print only the walk, and what was trained beside it"),
)
FRONT = Declared(
    name="front",
    kind=bool,
    default=False,
    option=Option(
        flag="--front",
        help="print the networks that no other one beats in accuracy, parameters, "
        "multiply-accumulates and latency, which is measured now",
    ),
)
WITHIN = Declared(
    name="within",
    kind=float | None,
    default=None,
    option=Option(
        flag="--within",
        help="name the smallest network within so many points of the best one, with --front",
        at_least=0,
        at_most=100,
    ),
)
CSV = Declared(
    name="csv",
    kind=bool,
    default=False,
    option=Option(flag="--csv", help="print all trainings as comma-separated values"),
)
JSON = Declared(
    name="json",
    kind=bool,
    default=False,
    option=Option(flag="--json", help="print one JSON object"),
)
OUT = Declared(
    name="out",
    kind=Path | None,
    default=None,
    option=Option(
        flag="--out",
        help="the file that is written, or the folder for what is written",
        default="called after the search",
    ),
)
PLOTS = replace(
    OUT,
    kind=Path,
    default=Path("egnas-plots"),
    option=replace(OUT.option, default=""),
)
FORMAT = Declared(
    name="format",
    kind=str,
    default=None,
    option=Option(
        flag="--format", help="state-dict, torch-export, onnx, or python: a readable module"
    ),
)
SEED = Declared(
    name="seed",
    kind=int | None,
    default=None,
    option=Option(
        flag="--seed", help="the seed of one of several final trainings", default="the lowest"
    ),
)
NAMED_NETWORK = Declared(name="network", kind=str | None, default=None, option=NETWORK)
FROM_FILE = Declared(
    name="from",
    kind=Path | None,
    default=None,
    option=Option(flag="--from", help="the file of a trained network, in place of a search"),
)
OVERWRITE = Declared(
    name="overwrite",
    kind=bool,
    default=False,
    option=Option(flag="--overwrite", help="replace another file that is there"),
)
CHECK_TEST = Declared(
    name="check_test",
    kind=bool,
    default=False,
    option=Option(
        flag="--check-test", help="read the test images again and compare with the report"
    ),
)
BENCHMARK = Declared(
    name="benchmark",
    kind=bool,
    default=False,
    option=Option(
        flag="--benchmark", help="time the file that is written, with one image and with 64"
    ),
)
STORED_DATA_FOLDER = Declared(
    name="data_root",
    kind=str | None,
    default=None,
    option=replace(DATA_FOLDER, default=AS_STORED),
)
LOCAL_DATA_FOLDER = replace(STORED_DATA_FOLDER, option=replace(DATA_FOLDER, default=IN_FOLDER))
STORED_ARTIFACTS = Declared(
    name="artifacts",
    kind=str | None,
    default=None,
    option=replace(ARTIFACTS, default=AS_STORED),
)
TOP = Declared(
    name="top",
    kind=int,
    default=3,
    option=Option(
        flag="--top",
        help="number of classes to print for each image",
        at_least=1,
        at_most=LARGEST_INTEGER,
    ),
)
YES = Declared(
    name="yes", kind=bool, default=False, option=Option(flag="--yes", help="do not ask")
)
SIMULATED = Declared(
    name="workers",
    kind=int | None,
    default=None,
    option=Option(
        flag="--workers",
        help="simulate this number of workers, and print how much faster they are",
        at_least=1,
        at_most=LARGEST_INTEGER,
    ),
)
PRUNER = Declared(
    name="pruner",
    kind=str | None,
    default=None,
    option=Option(
        flag="--pruner",
        help="print what a pruner saves: none, budget, median, percentile, sha, hyperband or "
        "patient",
    ),
)
HOST = Declared(
    name="host",
    kind=str,
    default="localhost",
    option=Option(flag="--host", help="the address that the dashboard answers to"),
)
PORT = Declared(
    name="port",
    kind=int,
    default=8080,
    option=Option(
        flag="--port",
        help="port of the dashboard; 0: any that is free",
        at_least=0,
        at_most=65_535,
    ),
)
