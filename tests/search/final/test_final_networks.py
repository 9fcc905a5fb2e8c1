"""Final trainings of several networks of a search lie beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from finishing import load_final, opened, trained
from folders import in_memory
from searching import MACRO, NAME, searched

from optuna_egnas import export
from optuna_egnas._search.named import named_network
from optuna_egnas._storage.final_results import all_finals, finals
from optuna_egnas.errors import SearchError


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose network is trained, then its largest one, then that of a trial."""
    folder = tmp_path_factory.mktemp("several")
    searched(folder, macro=MACRO, micro={"epochs": 1})
    trained(folder, epochs=2)
    trained(folder, epochs=2, network="largest")
    trained(folder, epochs=2, network="trial:macro/0", seeds=2)
    return folder


def test_another_network_is_no_other_training_of_the_first(several: Path) -> None:
    studies = opened(several)
    largest, first = (named_network(studies, each) for each in ("largest", "trial:macro/0"))

    assert len(all_finals(studies)) == 4
    assert finals(studies)[0].settings.architecture == studies.result().architecture
    assert [each.settings.architecture for each in finals(studies, network=largest)] == [largest]
    assert [each.seed for each in finals(studies, network=first)] == [0, 1]


def test_what_is_handed_over_is_the_network_that_is_named(several: Path, tmp_path: Path) -> None:
    studies = opened(several)

    for name in ("largest", "trial:macro/0"):
        network = named_network(studies, name)
        assert load_final(studies, network=name).architecture == network
        file = tmp_path / f"{name.partition(':')[0]}.pt"
        exported = export(studies, file, format="state-dict", network=name)
        assert exported.network.architecture == network
    assert load_final(studies).architecture == studies.result().architecture
    exported = export(studies, tmp_path / "found.pt", format="state-dict")
    assert exported.network.architecture == studies.result().architecture


def test_each_goes_on_with_its_own_settings(several: Path) -> None:
    again = trained(several, epochs=None, network="largest")

    assert again.settings.architecture == named_network(opened(several), "largest")
    assert (again.settings.epochs, len(again.records)) == (2, 1)
    with pytest.raises(SearchError, match=r"epochs was 2, but got 3\. --again trains anew"):
        trained(several, epochs=3, network="largest")
    assert len(all_finals(opened(several))) == 4


def test_the_result_says_for_what_the_test_was_read_before(several: Path) -> None:
    found, largest, first = (
        trained(several, epochs=None, network=name) for name in (None, "largest", "trial:macro/0")
    )

    assert (found.earlier, found.earlier_networks) == (0, 0)
    assert (largest.earlier, largest.earlier_networks) == (1, 1)
    assert (first.earlier, first.to_json()["earlier_networks"]) == (2, 2)


def test_a_network_that_is_not_trained_says_how(several: Path) -> None:
    with in_memory() as folder:
        searched(folder, macro=MACRO, micro={"epochs": 1})
        trained(folder, epochs=1, network="largest")
        studies = opened(folder)

        with pytest.raises(
            SearchError,
            match=rf"'{NAME}' has no trained network yet of what it found, but others \(depth 3,",
        ):
            load_final(studies)
        assert finals(studies) == ()
        with pytest.raises(
            SearchError,
            match=r"network='trial:macro/0': run `egnas train bars --network trial:macro/0`",
        ):
            load_final(studies, network="trial:macro/0")
        with pytest.raises(SearchError, match=r"`egnas train bars --network largest --seeds 4`"):
            load_final(studies, 3, network="largest")


def test_a_name_that_does_not_exist_writes_nothing(several: Path) -> None:
    before = opened(several).micro.user_attrs

    with pytest.raises(SearchError, match=r"must be one of macro, micro, .*network='smallest'"):
        trained(several, network="smallest")

    assert opened(several).micro.user_attrs == before
