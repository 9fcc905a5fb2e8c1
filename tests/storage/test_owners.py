"""Files of a search belong to the storages that wrote them: deleting a copy leaves them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import optuna
import pytest
from folders import in_memory
from optuna.artifacts import FileSystemArtifactStore
from searching import MACRO_OF_ONE, NAME, searched

from optuna_egnas import load_linked_studies
from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.final.stored import upload
from optuna_egnas._storage.opening import open_storage
from optuna_egnas._storage.owners import FILE, OwnedStore, Owner, release

DB = "egnas.db"


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    """A folder with a search that has ended."""
    with in_memory() as folder:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})
        yield folder


@pytest.fixture
def home(pattern: Path, folder: Path) -> Path:
    """A folder with a search of its own, which has uploaded a file."""
    (folder / DB).write_bytes((pattern / DB).read_bytes())
    studies = load_linked_studies(storage=url(folder / DB), name=NAME)
    for study in (studies.macro, studies.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(folder / "artifacts")})
    write(folder / DB)
    return folder


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def write(file: Path) -> None:
    """Upload a file from this storage, as its search does."""
    upload(load_linked_studies(storage=url(file), name=NAME), "file.txt", b"content")


def delete(file: Path) -> str:
    return delete_search(optuna.storages.get_storage(url(file)), NAME) or ""


def uploads(home: Path) -> int:
    return sum(not file.name.endswith(".owners") for file in (home / "artifacts").iterdir())


def test_deleting_a_copy_leaves_the_files(home: Path) -> None:
    copy = home / "copy.db"
    shutil.copy(home / DB, copy)
    before = {file.name: file.read_bytes() for file in (home / "artifacts").iterdir()}

    said = delete(copy)

    assert f"stay in {home}/artifacts" in said
    assert f"belong to sqlite:///{home}/{DB}, of which this is a copy" in said
    assert before == {file.name: file.read_bytes() for file in (home / "artifacts").iterdir()}
    assert delete(home / DB) == ""
    assert [*(home / "artifacts").iterdir()] == []


def test_files_of_both_go_with_the_last_one(home: Path) -> None:
    copy = home / "copy.db"
    shutil.copy(home / DB, copy)
    write(copy)

    said = delete(home / DB)

    assert f"also belong to {url(copy)}" in said
    assert uploads(home) == 2
    assert delete(copy) == ""
    assert [*(home / "artifacts").iterdir()] == []


def test_a_storage_that_was_moved_is_the_same(home: Path) -> None:
    moved = home / "elsewhere" / "moved.db"
    moved.parent.mkdir()
    (home / DB).rename(moved)

    assert delete(moved) == ""
    assert [*(home / "artifacts").iterdir()] == []


def test_a_copy_in_the_place_of_the_original_is_a_copy(home: Path) -> None:
    (home / DB).rename(home / "original.db")
    shutil.copy(home / "original.db", home / DB)

    assert "of which this is a copy" in delete(home / DB)
    assert uploads(home) == 1
    assert delete(home / "original.db") == ""


def test_files_of_unknown_owners_stay(home: Path) -> None:
    (owners,) = (home / "artifacts").glob("*.owners")
    owners.unlink()

    assert "their owner is not known" in delete(home / DB)
    assert uploads(home) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owners": [1]}', b'{"owners": [{}]}'])
def test_a_damaged_list_is_no_reason_to_delete(content: bytes, home: Path) -> None:
    (owners,) = (home / "artifacts").glob("*.owners")
    owners.write_bytes(content)

    assert "their owner is not known" in delete(home / DB)
    assert uploads(home) == 1


def test_a_copy_in_the_same_storage_keeps_the_files(home: Path) -> None:
    storage = url(home / DB)
    optuna.copy_study(
        from_study_name=f"{NAME}/micro",
        from_storage=storage,
        to_storage=storage,
        to_study_name="c",
    )

    assert "'c' may need them" in delete(home / DB)
    assert uploads(home) == 1


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Owner(FILE, "/a/x.db", "", 7, 1), True),
        (Owner(FILE, "/b/y.db", "", 7, 1), True),
        (Owner(FILE, "/a/x.db", "", 7, 2), True),
        (Owner(FILE, "/b/y.db", "", 7, 2), False),
        (Owner(FILE, "/a/x.db", "", 8, 1), False),
        (Owner("database", "/a/x.db", "", 7, 1), False),
    ],
)
def test_a_file_is_known_by_its_inode_and_one_thing_more(other: Owner, same: bool) -> None:
    assert Owner(FILE, "/a/x.db", "", 7, 1).is_same(other) is same


def test_a_store_that_cannot_be_reached_is_no_traceback(home: Path) -> None:
    shutil.rmtree(home / "artifacts")
    (home / "artifacts").write_text("a file")

    said = delete(home / DB)

    assert f"stay in {home}/artifacts" in said
    assert optuna.get_all_study_names(url(home / DB)) == []


def test_one_storage_in_memory_is_not_another(folder: Path) -> None:
    first, second = optuna.storages.InMemoryStorage(), optuna.storages.InMemoryStorage()
    store = FileSystemArtifactStore(folder)
    OwnedStore(store=store, run="r", storage=first).write("a", BytesIO(b"content"))

    assert not release(store, "r", second).may_go
    assert release(store, "r", first).may_go


def test_a_database_is_known_by_what_it_says_of_itself(
    folder: Path, new_database: Callable[[str], str]
) -> None:
    original, copy = new_database("owners_original"), new_database("owners_copy")
    store = FileSystemArtifactStore(folder)
    OwnedStore(store=store, run="r", storage=open_storage(original)).write("a", BytesIO(b"a"))

    copied = release(store, "r", open_storage(copy))
    by_another_name = release(store, "r", open_storage(original.replace("127.0.0.1", "localhost")))

    assert not copied.may_go and "of which this is a copy" in copied.reason
    assert by_another_name.may_go
