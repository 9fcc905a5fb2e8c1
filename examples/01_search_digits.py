"""Search a whole network for the digits that come with scikit-learn, and look at the walk."""

from optuna_egnas import search
from optuna_egnas.options import SearchOptions

# A smaller space than the default one, so that this ends in seconds.
options = SearchOptions(
    seed=1,
    macro={"max_depth": 5, "max_width": 10, "min_width": 8},
    micro={"epochs": 2},
)
studies = search("digits", storage="sqlite:///digits.db", options=options)

result = studies.result()
assert result.architecture is not None
print(result.architecture)
print(f"{result.params:,} parameters, validation accuracy {result.valid_accuracy:.3f}")

# Both studies are ordinary Optuna studies; so is everything that reads them.
for trial in studies.macro.trials:
    print(trial.number, trial.params, trial.value, trial.user_attrs["verdict"])
