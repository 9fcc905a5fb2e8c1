from __future__ import annotations

import optuna_egnas

NAMES = {
    "Architecture",
    "Budget",
    "BudgetPruner",
    "EgnasError",
    "FinalResult",
    "LinkedStudies",
    "MacroSampler",
    "MacroSpace",
    "MicroSampler",
    "MicroSpace",
    "Operation",
    "create_linked_studies",
    "export",
    "load_linked_studies",
    "register_operation",
    "search",
    "train",
    "training_budget",
}


def test_the_public_names_are_these() -> None:
    assert set(optuna_egnas.__all__) == NAMES
    assert set(dir(optuna_egnas)) == NAMES


def test_each_public_name_is_there_and_documented() -> None:
    for name in optuna_egnas.__all__:
        assert getattr(optuna_egnas, name).__doc__, name


def test_every_error_is_one_of_ours() -> None:
    from optuna_egnas import errors

    leaves = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = (optuna_egnas.EgnasError, errors.EgnasWarning)
    assert all(issubclass(kind, ours) for kind in leaves)
    for kind in leaves:
        assert kind.__name__ in str(errors.__doc__), "the tree in the docstring names each"
