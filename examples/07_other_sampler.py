"""TPE on the same networks: any sampler of Optuna searches them in a plain study.

Each trial trains one network of the whole space for a few epochs, in a loop of your own.
"""

import optuna
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy

from optuna_egnas import MacroSpace, MicroSpace
from optuna_egnas.networks import build, from_params, suggest

images, labels = load_digits(return_X_y=True)
images = torch.tensor(images / 8 - 1, dtype=torch.float32).reshape(-1, 1, 8, 8)
train, valid = train_test_split(range(len(labels)), test_size=0.3, random_state=0)
labels = torch.tensor(labels)

TASK = {"input_shape": (1, 8, 8), "classes": 10}
macro = MacroSpace(min_depth=3, max_depth=6, min_width=4, max_width=10, max_params=8_000, **TASK)
micro = MicroSpace(depth=3, width=10, **TASK)


def objective(trial: optuna.Trial) -> float:
    architecture = suggest(trial, macro, micro)
    if not macro.fits(architecture):
        raise optuna.TrialPruned
    network = build(architecture, **TASK)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(2):
        for batch in torch.randperm(len(train)).split(32):
            index = torch.tensor(train)[batch]
            optimizer.zero_grad()
            cross_entropy(network(images[index]), labels[index]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return float((network(images[valid]).argmax(1) == labels[valid]).float().mean())


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=5)
print(from_params(study.best_params), f"{study.best_value:.3f}")
