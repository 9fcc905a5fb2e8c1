"""The macro sampler alone, in a study about something else: layers and units of a perceptron.

Its two parameters get the names that the objective uses; the learning rate goes to TPE.
"""

import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from optuna_egnas import MacroSampler, MacroSpace

x_train, x_valid, y_train, y_valid = train_test_split(
    *load_digits(return_X_y=True), test_size=0.3, random_state=0
)


def objective(trial: optuna.Trial) -> float:
    layers = trial.suggest_int("n_layers", 1, 4)
    units = trial.suggest_int("units", 8, 24)
    rate = trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True)
    model = MLPClassifier(
        (units,) * layers, learning_rate_init=rate, early_stopping=True, random_state=0
    )
    return float(model.fit(x_train, y_train).score(x_valid, y_valid))


space = MacroSpace(
    min_depth=1, max_depth=4, min_width=8, max_width=24, width_step=4, n_valid=len(y_valid)
)
sampler = MacroSampler(
    space,
    depth="n_layers",
    width="units",
    independent_sampler=optuna.samplers.TPESampler(seed=0),
)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(objective)  # stops by itself when the walk has ended

for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
    print(trial.params, trial.value)
