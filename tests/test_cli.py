"""The command line: searches from start to end, interruptions, and the bad input of users."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import TINY, Prepare, Ran, Shell, draw_images
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from PIL import Image

from optuna_egnas import load_linked_studies
from optuna_egnas._storage import shown
from optuna_egnas.evaluation import _data

KEYS = {
    "name",
    "architecture",
    "params",
    "macs",
    "valid_accuracy",
    "candidates",
    "epochs",
    "seconds",
    "resumed",
    "studies",
}
SECRET = "s3cret-w0rd"


@pytest.fixture
def egnas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A folder with a finished search, and what its command printed; not to be changed."""
    shell = Shell(tmp_path_factory.mktemp("unbroken"))
    shell.write("tiny.toml", TINY)
    return shell.folder, shell("search", "tiny.toml", "--json")


@pytest.fixture
def searched(egnas: Shell, unbroken: tuple[Path, Ran]) -> Shell:
    """A shell in a folder that holds a finished search of its own."""
    shutil.copytree(unbroken[0], egnas.folder, dirs_exist_ok=True)
    return egnas


def walk(folder: Path, name: str = "tiny") -> list[tuple[str, dict[str, Any], float | None]]:
    """Phase, network and score of every step of both studies."""
    studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name=name)
    walks = [studies.walk("macro"), studies.walk("micro")]
    return [
        (step.proposal.phase, step.proposal.candidate.architecture.to_json(), step.score)
        for walked in walks
        if walked is not None
        for step in walked.steps
    ]


def trials(folder: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "egnas.db") as database:
        found = database.execute("select study_id, number, state from trials").fetchall()
    database.close()
    return found


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# A search from start to end


def test_the_result_is_one_json_object_and_progress_goes_to_stderr(
    unbroken: tuple[Path, Ran],
) -> None:
    _, ran = unbroken

    assert ran.record.keys() == KEYS
    assert ran.out.count("\n") == 1
    assert ran.record["architecture"].keys() == {"depth", "width", "ops", "kernels"}
    assert ran.record["name"] == "tiny"
    assert ran.record["studies"] == {"macro": "tiny/macro", "micro": "tiny/micro"}
    assert ran.record["resumed"] == 0
    assert ran.record["seconds"] > 0
    steps = walk(unbroken[0])
    assert ran.record["candidates"] == len([phase for phase, *_ in steps if phase != "confirm"])
    assert ran.record["epochs"] == ran.record["candidates"], "one epoch for each of them"
    assert ran.record["valid_accuracy"] == steps[-1][2]
    first = ran.err.splitlines()[0]
    for part in ("depth", "depth 2, width 6", "1 epochs", "%", "baseline", "spent", "left"):
        assert part in first


def test_a_finished_search_does_nothing_when_it_is_run_again(
    searched: Shell, unbroken: tuple[Path, Ran]
) -> None:
    before = trials(searched.folder)

    again = searched("search", "tiny.toml", "--json")

    assert trials(searched.folder) == before
    assert again.err == ""
    assert again.record == {**unbroken[1].record, "resumed": len(before)}


def test_show_prints_the_same_from_the_storage(
    searched: Shell, unbroken: tuple[Path, Ran]
) -> None:
    before = searched.files()
    shown_again = searched("show", "--json").record

    assert shown_again == {**unbroken[1].record, "resumed": len(trials(searched.folder))}
    named = searched("show", "tiny", "--storage", "sqlite:///egnas.db")
    assert "tiny: the network found" in named.out
    for phase, _, score in walk(searched.folder):
        assert phase in named.out
        assert score is None or f"{100 * score:.2f} %" in named.out
    assert "baseline" in named.out
    assert "against" in named.out, "a verdict in words"
    assert searched.files() == before, "looking changes nothing"


def test_the_table_says_what_to_type_next(searched: Shell) -> None:
    ran = searched("search", "tiny.toml", "--name", "tiny")

    lines = ran.out.splitlines()
    commands = [line.strip() for line in lines[lines.index("Next:") + 1 :]]
    assert commands[0] == "egnas show tiny --storage sqlite:///egnas.db"
    assert searched(*commands[0].split()[1:]).code == 0


def test_the_storage_holds_every_choice_as_whole_numbers_and_strings(
    unbroken: tuple[Path, Ran],
) -> None:
    studies = load_linked_studies(storage=f"sqlite:///{unbroken[0]}/egnas.db", name="tiny")
    depth = unbroken[1].record["architecture"]["depth"]
    layers = [f"{kind}_{layer:02d}" for kind in ("op", "kernel") for layer in range(depth)]

    for trial in studies.macro.trials:
        assert set(trial.params) == {"depth", "width", "epochs"}
    for trial in studies.micro.trials:
        assert set(trial.params) == {"depth", "width", "epochs", *layers}
    for trial in [*studies.macro.trials, *studies.micro.trials]:
        assert {type(value) for value in trial.params.values()} <= {int, str}
        assert {"phase", "params", "macs", "train_accuracy", "verdict"} <= set(trial.user_attrs)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_of_images_is_searched_from_start_to_end(egnas: Shell, mode: str) -> None:
    draw_images(egnas.folder / "pets", mode=mode)
    options = TINY.replace('"digits"', '"folder:pets"').replace('name = "tiny"\nsubset = 200', "")
    egnas.write("pets.toml", f"{options}\n[data]\nimage_size = 8\n")

    record = egnas("search", "pets.toml", "--json").record

    assert record["name"] == "pets"
    assert record["valid_accuracy"] is not None
    studies = load_linked_studies(storage="sqlite:///egnas.db", name="pets")
    assert studies.link.space.input_shape == ({"L": 1, "RGB": 3}[mode], 8, 8)
    assert studies.link.space.classes == 2


def test_a_name_may_hold_what_a_shell_or_a_table_would_read_as_a_sign(searched: Shell) -> None:
    name = "it's [/red] :smile:"
    ran = searched("search", "tiny.toml", "--name", name)

    assert ran.code == 0
    assert f"{name}: the network found" in ran.out
    command = next(line for line in ran.out.splitlines() if "egnas show" in line)
    assert searched(*shlex.split(command)[1:]).code == 0


# Test data stay out of the search


def idx(values: Any, *sizes: int) -> bytes:
    header = (0x0800 + len(sizes)).to_bytes(4, "big")
    return header + b"".join(size.to_bytes(4, "big") for size in sizes) + bytes(values)


def kmnist_with_damaged_tests(shell: Shell) -> str:
    labels = [index % 10 for index in range(100)]
    pixels = [(37 * index) % 251 for index in range(100 * 8 * 8)]
    raw = "data/KMNIST/raw"
    shell.write(f"{raw}/train-images-idx3-ubyte", idx(pixels, 100, 8, 8))
    shell.write(f"{raw}/train-labels-idx1-ubyte", idx(labels, 100))
    for kind in ("images-idx3", "labels-idx1"):
        shell.write(f"{raw}/t10k-{kind}-ubyte", b"garbage")
    return "kmnist"


def folder_with_damaged_tests(shell: Shell) -> str:
    draw_images(shell.folder / "pets/train")
    draw_images(shell.folder / "pets/test")
    for image in (shell.folder / "pets/test").glob("*/*.png"):
        image.write_bytes(b"garbage")
    return "folder:pets"


@pytest.mark.parametrize("prepare", [kmnist_with_damaged_tests, folder_with_damaged_tests])
def test_no_test_file_is_opened_by_a_search(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Shell], str]
) -> None:
    dataset = prepare(egnas)
    egnas.write("s.toml", TINY.replace('"digits"', f'"{dataset}"').replace("subset = 200", ""))

    def forbidden(*_: object) -> None:
        raise AssertionError("a search must not load test data")

    monkeypatch.setattr(_data, "load_test", forbidden)

    assert egnas("search", "s.toml", "--json").record["candidates"] > 2


# Interruptions


def start(folder: Path) -> subprocess.Popen[str]:
    """The real script, up to its first finished candidate."""
    script = Path(sys.executable).with_name("egnas")
    process = subprocess.Popen(
        [script, "search", "tiny.toml", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "epochs" in process.stderr.readline()
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupted_and_then_killed_search_makes_the_walk_of_an_unbroken_one(
    egnas: Shell, unbroken: tuple[Path, Ran]
) -> None:
    egnas.write("tiny.toml", TINY)

    interrupted = start(egnas.folder)
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "Stopped. The same command goes on from here."
    assert "Traceback" not in err

    killed = start(egnas.folder)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = len(trials(egnas.folder))
    assert left < len(trials(unbroken[0])), "it was stopped in the middle"

    resumed = egnas("search", "tiny.toml", "--json").record
    assert resumed["resumed"] == left
    assert walk(egnas.folder) == walk(unbroken[0])
    ignored = {"resumed", "seconds"}
    assert {key: value for key, value in resumed.items() if key not in ignored} == {
        key: value for key, value in unbroken[1].record.items() if key not in ignored
    }


def test_control_c_before_the_search_has_begun_ends_in_order_too(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("optuna_egnas._search.load_training", interrupted)

    assert egnas("search").code == 130
    assert egnas.files() == {}


def test_a_study_that_is_deleted_under_a_running_search_is_one_line(
    searched: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleted(*_: object) -> None:
        optuna.delete_study(study_name="tiny/macro", storage="sqlite:///egnas.db")

    monkeypatch.setattr("optuna_egnas._search.load_training", _data.load_training)
    monkeypatch.setattr("optuna_egnas._show.Display.following", deleting(deleted))
    ran = searched("search", "tiny.toml")

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "renamed or deleted meanwhile" in ran.err


def deleting(action: Callable[[], None]) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def following(*_: object) -> Any:
        action()
        yield

    return following


# Bad input


def nothing(_: Shell) -> None:
    return None


def images(change: Callable[[Path], object] = bool, **drawn: Any) -> Prepare:
    """A folder `pets` of images, changed by hand."""

    def prepare(shell: Shell) -> None:
        draw_images(shell.folder / "pets", **drawn)
        change(shell.folder / "pets")

    return prepare


def file(name: str, content: str | bytes) -> Prepare:
    return lambda shell: shell.write(name, content)


def coloured(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "cat" / "3.png")


def damaged(folder: Path) -> None:
    # Most of them: those that are kept for the test are not opened.
    for index in range(3, 20):
        whole = folder / "dog" / f"{index}.png"
        whole.write_bytes(whole.read_bytes()[:60])


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "cat").mkdir(parents=True)
    (folder / "dog").mkdir()


def half_divided(folder: Path) -> None:
    (folder / "cat").rename(folder / "train")


BAD_DATA: dict[str, tuple[Prepare, str, tuple[str, ...]]] = {
    "unknown": (nothing, "nope", ("nope", "digits, fashion-mnist")),
    "misspelt": (nothing, "fashion_mnist", ("did you mean fashion-mnist?",)),
    "empty name": (nothing, "", ("must be one of", "''")),
    "no path": (nothing, "folder:", ("'folder:'",)),
    "a folder without folder:": (images(), "pets", ("did you mean folder:pets?",)),
    "missing files": (nothing, "kmnist --data-root here", ("here/KMNIST/raw", "--download")),
    "missing pickles": (nothing, "cifar10", ("data_batch_1", "--data-root")),
    "damaged idx": (
        lambda shell: (kmnist_with_damaged_tests(shell), shell.write(IDX, b"garbage")),
        "kmnist",
        (IDX := "data/KMNIST/raw/train-images-idx3-ubyte",),
    ),
    "missing folder": (nothing, "folder:pets", ("must exist", "pets")),
    "a file as folder": (file("pets", "x"), "folder:pets", ("must exist", "pets")),
    "empty folder": (images(shutil.rmtree), "folder:pets", ("must exist", "pets")),
    "folder without classes": (
        lambda shell: (shell.folder / "pets").mkdir(),
        "folder:pets",
        ("a subfolder with images for each class",),
    ),
    "classes without images": (images(emptied), "folder:pets", ("pets", "class")),
    "one class": (images(classes=("cat",)), "folder:pets", ("at least 2 classes", "only cat")),
    "one image of a class": (images(count=1), "folder:pets", ("at least 2 images", "cat")),
    "mixed modes": (images(coloured), "folder:pets", ("all grayscale or all colour", "3.png")),
    "corrupt images": (images(damaged), "folder:pets", ("readable", "dog/")),
    "train without test": (images(half_divided), "folder:pets", ("both train and test",)),
    "size of digits": (nothing, "digits --image-size 8", ("image_size is for folder:PATH only",)),
    "size of nothing": (images(), "folder:pets --image-size 0", ("image_size", "at least 1")),
    "no share": (images(), "folder:pets --test-fraction 1.5", ("test_fraction", "1.5")),
    "a toml that is missing": (nothing, "study.toml", ("study.toml", "No such file")),
    "a folder named .toml": (nothing, "folder:x.toml", ("must exist", "x.toml")),
}


@pytest.mark.parametrize("story", BAD_DATA)
def test_bad_data_are_refused(egnas: Shell, story: str) -> None:
    prepare, arguments, saying = BAD_DATA[story]
    prepare(egnas)

    egnas.refuses("search", *arguments.split(" "), saying=saying)


BAD_OPTIONS = {
    "--device gpu": ("`device` must be auto or one that torch can use here", "'gpu'"),
    "--device cuda:99": ("`device`", "cuda:99"),
    "--device=": ("`device`", "''"),
    "--profile fast": ("`profile` must be one of full, quick", "'fast'"),
    "--policy sound": ("`policy` must be one of paper", "'sound'"),
    "--max-params 10": ("No network fits max_params=10", "the smallest one", "parameters"),
    "--max-params 0": ("`max_params` must be at least 1",),
    "--max-macs 5": ("No network fits max_macs=5", "multiply-accumulates"),
    "--max-macs -1": ("`max_macs` must be at least 1", "-1"),
    "--max-width 0": ("`max_width` must be at least 1",),
    "--max-width 1": ("`max_width` must be at least min_width",),
    "--min-depth 0": ("`min_depth` must be at least 1",),
    "--min-depth 99999": ("`max_depth` must be at least min_depth=99999",),
    "--min-depth 2.5": ("--min-depth", "integer"),
    "--subset 0": ("subset must be 20", "found 0"),
    "--subset 999999999999999999999": ("subset must be 20",),
    "--subset many": ("--subset", "integer"),
    "--valid-fraction 0": ("valid_fraction must lie between 0 and 1",),
    "--valid-fraction nan": ("valid_fraction", "nan"),
    "--valid-fraction 0.0001": ("0.0001",),
    "--seed -1": ("`seed` must be at least 0", "-1"),
    "--seed 99999999999999999999": ("`seed` must be 0 to",),
    "--seed x": ("--seed",),
    "--name=": ("name", "''"),
    "--name=\u3000": ("name",),
    f"--name={600 * 'x'}": ("1 to 500 characters", "(600)"),
    "--no-such-option": ("--no-such-option",),
    "one-too-many": ("one-too-many",),
}


@pytest.mark.parametrize("option", BAD_OPTIONS)
def test_bad_options_are_refused(egnas: Shell, option: str) -> None:
    egnas.refuses("search", "digits", *option.split(" "), saying=BAD_OPTIONS[option])


def test_an_unknown_command_is_refused_and_none_shows_the_help(egnas: Shell) -> None:
    egnas.refuses("sarch", saying=("sarch",))

    helped = egnas()
    assert "search" in helped.out
    assert (helped.code, helped.err) == (2, "")


AWAY = "127.0.0.1:PORT/db"
"""Where nobody listens: PORT stands for a closed port, looked for when the test runs."""
BAD_STORAGES: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "egnas.db": (nothing, ("must be a URL such as sqlite:///egnas.db",)),
    "": (nothing, ("must be a URL",)),
    f"postgresql://u:{SECRET}@{AWAY}": (nothing, ("u:***@", "PORT", "refused")),
    f"postgresql://{AWAY}?user=u&password={SECRET}": (nothing, ("password=***", "refused")),
    f"postgresql://u:{SECRET}@127.0.0.1:port/db": (nothing, ("must be a URL",)),
    f"postgresql://u:{SECRET}@127.0.0.1:99999999/db": (nothing, ("99999999",)),
    f"postgresql://u:{SECRET}@{AWAY}?no_such_option=1": (nothing, ("no_such_option",)),
    f"postgresql+no_driver://u:{SECRET}@{AWAY}": (nothing, ("must be SQLite, PostgreSQL",)),
    f"redis://u:{SECRET}@{AWAY}": (nothing, ("Cannot use the storage redis://u:***@",)),
    "sqlite:///no/such/folder/x.db": (nothing, ("must exist", "no/such/folder")),
    "sqlite:////proc/x.db": (nothing, ("/proc/x.db",)),
    "sqlite:///here": (lambda shell: (shell.folder / "here").mkdir(), ("unable to open",)),
    "sqlite:///notes.txt": (file("notes.txt", 200 * "text, "), ("not a database",)),
    "sqlite:///x.db?timeout=long": (nothing, ("could not convert", "long")),
    f"sqlite:///{300 * 'x'}.db": (nothing, ("unable to open",)),
}


@pytest.mark.parametrize("url", BAD_STORAGES)
@pytest.mark.parametrize("command", ["search", "show", "replay"])
def test_bad_storages_are_refused(
    egnas: Shell, unbroken: tuple[Path, Ran], url: str, command: str
) -> None:
    port = str(closed_port())
    prepare, words = BAD_STORAGES[url]
    saying = tuple(each.replace("PORT", port) for each in words)
    prepare(egnas)
    egnas.write("tiny.toml", TINY)
    argument = {"search": "tiny.toml", "show": "tiny", "replay": str(trace_of(unbroken[0]))}

    # What cannot be there is missing for a user who only looks.
    known = () if command == "show" and url.startswith("sqlite") else saying
    away = url.replace("PORT", port)
    said = egnas.refuses(command, argument[command], "--storage", away, saying=known)
    assert SECRET not in said


def trace_of(folder: Path) -> Path:
    """The trace of the finished search, written once."""
    path = folder.with_name("traced.json")
    if not path.exists():
        from optuna_egnas._trace import write_trace

        studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name="tiny")
        path.write_text(json.dumps(write_trace(studies)))
    return path


@pytest.mark.parametrize(
    ("url", "module", "hint"),
    [
        ("mysql://u:{}@localhost/db", "pymysql", "pip install 'optuna-egnas[mysql]'."),
        ("mariadb://u:{}@localhost/db", "pymysql", "pip install 'optuna-egnas[mysql]'."),
        ("postgresql://u:{}@localhost/db", "psycopg", "pip install 'optuna-egnas[postgresql]'."),
        ("postgresql+psycopg2://u:{}@localhost/db", "psycopg2", "begin the URL with postgresql:"),
        ("mssql+pyodbc://u:{}@localhost/db", "pyodbc", "install a SQLAlchemy driver for mssql."),
    ],
)
def test_a_missing_driver_is_one_line_with_what_to_install(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, url: str, module: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    said = egnas.refuses("search", "--storage", url.format(SECRET), saying=("driver", hint))

    assert SECRET not in said


@pytest.mark.parametrize(
    ("url", "shown_as"),
    [
        ("sqlite:///egnas.db", "sqlite:///egnas.db"),
        ("postgresql://u:pw@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql://h/d?password=pw&user=u", "postgresql+psycopg://h/d?password=***&user=u"),
        ("mysql://u@h/d?ssl_key_passwd=pw", "mysql+pymysql://u@h/d?ssl_key_passwd=***"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown_as: str) -> None:
    assert shown(url) == shown_as


def test_a_password_is_neither_printed_nor_stored(egnas: Shell, postgresql: str) -> None:
    url = postgresql.replace("egnas@", f"egnas:{SECRET}@")
    egnas.write("tiny.toml", TINY)
    ran = egnas("search", "tiny.toml", "--name", "with a password", "--storage", url)
    looked = egnas("show", "with a password", "--storage", url)

    assert (ran.code, looked.code) == (0, 0), ran.err + looked.err
    assert "egnas:***@" in looked.out
    assert SECRET not in "".join((ran.out, ran.err, looked.out, looked.err))
    studies = load_linked_studies(storage=url, name="with a password")
    for study in (studies.macro, studies.micro):
        stored = [study.user_attrs, *((t.user_attrs, t.system_attrs) for t in study.trials)]
        assert SECRET not in repr(stored)
    assert not any(SECRET.encode() in content for content in egnas.files().values())


def test_a_read_only_database_can_be_shown_but_not_searched(searched: Shell) -> None:
    url = "sqlite:///file:egnas.db?mode=ro&uri=true"

    assert searched("show", "--json", "--storage", url).record["name"] == "tiny"
    searched.refuses(
        "search", "tiny.toml", "--name", "new", "--storage", url, saying=("readonly database",)
    )


def test_somebody_elses_database_gets_no_tables_from_being_looked_at(egnas: Shell) -> None:
    with sqlite3.connect(egnas.folder / "egnas.db") as database:
        database.execute("create table recipes (name text)")
    database.close()
    egnas.write("empty.db", b"")

    egnas.refuses("show", saying=("no search", "sqlite:///egnas.db"))
    egnas.refuses("show", "x", "--storage", "sqlite:///empty.db", saying=("no search",))


# Names that are taken


def foreign(role: str, *, trial: bool = False, **attributes: object) -> Prepare:
    """A database with somebody else's study under one of the search's names."""

    def prepare(shell: Shell) -> None:
        study = optuna.create_study(
            storage=f"sqlite:///{shell.folder}/egnas.db",
            study_name=f"tiny/{role}",
            direction="maximize" if trial or attributes else "minimize",
        )
        if trial:
            study.add_trial(optuna.create_trial(value=1.0))
        for key, value in attributes.items():
            study.set_user_attr(key.replace("_", ":"), value)

    return prepare


@pytest.mark.parametrize("role", ["macro", "micro"])
@pytest.mark.parametrize(
    "prepare",
    [
        lambda role: foreign(role),
        lambda role: foreign(role, trial=True),
        lambda role: foreign(role, owner="somebody"),
        lambda role: foreign(role, egnas_search={"written by": "another version"}),
        lambda role: foreign(role, egnas_search=3),
    ],
    ids=["minimises", "has a trial", "has an attribute", "another version", "no record"],
)
def test_a_name_of_somebody_elses_study_is_refused(
    egnas: Shell, role: str, prepare: Callable[[str], Prepare]
) -> None:
    egnas.write("tiny.toml", TINY)
    prepare(role)(egnas)

    egnas.refuses("search", "tiny.toml", saying=(f"'tiny/{role}'", "choose another name"))


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ("tiny.toml --seed 1", ("seed is 0 there, but got 1",)),
        ("tiny.toml --max-width 7", ("macro max_width is 6 there, but got 7",)),
        ("tiny.toml --max-params 9999", ("max_params is None there, but got 9999",)),
        ("tiny.toml --subset 300", ("subset is 200 there, but got 300", "n_train")),
        ("tiny.toml --valid-fraction 0.3", ("valid_fraction is 0.2 there, but got 0.3",)),
        ("digits --name tiny", ("macro max_depth is 3 there",)),
        ("folder:pets --name tiny --subset 30", ("dataset is 'digits' there", "folder:pets")),
    ],
)
def test_a_name_of_another_search_is_refused_with_what_differs(
    searched: Shell, arguments: str, saying: tuple[str, ...]
) -> None:
    draw_images(searched.folder / "pets")

    said = searched.refuses("search", *arguments.split(), saying=(*saying, "'tiny'"))

    if arguments.endswith("--seed 1"):
        assert said.count("there, but got") == 1, "nothing else is said to differ"


def test_show_names_what_there_is(searched: Shell) -> None:
    searched.refuses("show", "tinny", saying=("'tinny'", "there are tiny"))
    searched.refuses("show", "", saying=("name",))
    searched.refuses("show", "--storage", "sqlite:///other.db", saying=("other.db",))
    assert searched("search", "tiny.toml", "--name", "other").code == 0
    searched.refuses("show", saying=("there are other, tiny",))


def test_an_empty_storage_has_nothing_to_show(egnas: Shell) -> None:
    egnas.refuses("show", saying=("no search yet", "egnas.db does not exist"))
    RDBStorage("sqlite:///egnas.db").engine.dispose()
    egnas.refuses("show", saying=("it holds none",))


# Study files

BAD_STUDY_FILES = {
    "": ("`dataset`",),
    "x": ("must be TOML",),
    "name = 'x'": ("must name its `dataset`",),
    "dataset = 5": ("`dataset`", "must be text", "5"),
    "dataset = 'nope'": ("nope", "digits"),
    "dataset = 'digits'\nname = 5": ("`name`", "text"),
    "dataset = 'digits'\nname = ''": ("`name`", "''"),
    "dataset = 'digits'\nseed = 'x'": ("`seed`", "a whole number", "'x'"),
    "dataset = 'digits'\nseed = true": ("`seed`", "a whole number", "True"),
    "dataset = 'digits'\nseed = 99999999999999999999": ("`seed`", "0 to"),
    "dataset = 'digits'\nsubset = 'all'": ("`subset`", "'all'"),
    "dataset = 'digits'\nvalid_fraction = '20 %'": ("`valid_fraction`", "a number"),
    "dataset = 'digits'\nprofile = ['quick']": ("`profile`", "text"),
    "dataset = 'digits'\nepochs = 5": ("study.toml must hold only", "'epochs'"),
    "dataset = 'digits'\nmacro = 3": ("[macro]", "a table"),
    "dataset = 'digits'\n[[data]]\nroot = 'x'": ("[data]", "a table"),
    "dataset = 'digits'\n[data]\nroot = 5": ("`root` in [data]", "text"),
    "dataset = 'digits'\n[data]\ndownload = 'yes'": ("`download`", "true or false"),
    "dataset = 'digits'\n[data]\nurl = 'x'": ("[data] of", "'url'"),
    "dataset = 'digits'\n[macro]\ndepth = 5": ("[macro] of", "'depth'"),
    "dataset = 'digits'\n[macro]\nclasses = 5": ("[macro] of", "'classes'"),
    "dataset = 'digits'\n[macro]\nmin_depth = 2.5": ("`min_depth`", "a whole number"),
    "dataset = 'digits'\n[macro]\ndepth_gain = nan": ("`depth_gain`", "nan"),
    "dataset = 'digits'\n[micro]\nwidth = 5": ("[micro] of", "'width'"),
    "dataset = 'digits'\n[micro]\noperations = 'sep'": ("`operations`", "a list", "'sep'"),
    "dataset = 'digits'\n[micro]\noperations = ['conv']": ("`operations` must hold 'sep'",),
    "dataset = 'digits'\n[micro]\nkernels = [3, 4]": ("odd", "4"),
    "dataset = 'digits'\n[micro]\nkernels = [[3]]": ("`kernels`", "a list"),
    "dataset = 'digits'\n[micro]\nmax_params = 5000": ("`max_params` must be the same",),
    "dataset = 'digits'\n[recipe]\nlearning_rate = 'x'": ("`learning_rate`", "a number"),
    "dataset = 'digits'\n[recipe]\nlearning_rate = -1": ("`learning_rate`", "above 0"),
    "dataset = 'digits'\n[recipe]\noptimizer = 'adam'": ("[recipe] of", "'optimizer'"),
}


@pytest.mark.parametrize("content", BAD_STUDY_FILES)
def test_bad_study_files_are_refused(egnas: Shell, content: str) -> None:
    egnas.write("study.toml", content)

    egnas.refuses("search", "study.toml", saying=BAD_STUDY_FILES[content])


def test_what_is_no_readable_file_is_no_study_file(egnas: Shell) -> None:
    egnas.write("bytes.toml", b"\xff\xfe")
    (egnas.folder / "folder.toml").mkdir()

    egnas.refuses("search", "bytes.toml", saying=("must be TOML",))
    egnas.refuses("search", "folder.toml", saying=("Is a directory",))


def test_options_on_the_command_line_come_before_those_of_the_study_file(egnas: Shell) -> None:
    egnas.write("tiny.toml", TINY)

    record = egnas(
        "search", "tiny.toml", "--name", "mine", "--seed", "3", "--max-width", "5", "--json"
    ).record

    studies = load_linked_studies(storage="sqlite:///egnas.db", name="mine")
    assert record["name"] == "mine"
    assert studies.link.seed == 3
    assert studies.macro.trials[0].params["width"] == 5
    assert studies.macro.trials[0].state is TrialState.COMPLETE


def test_a_search_of_which_nothing_can_be_trained_says_why(egnas: Shell) -> None:
    egnas.write("s.toml", f"{TINY}[recipe]\nlearning_rate = 1e30\n")

    ran = egnas("search", "s.toml")

    assert ran.code == 2
    assert "nothing to start from" in ran.err
    assert "loss must stay finite" in ran.err.splitlines()[-1]
