"""The pruner alone, with TPE: every network has a budget of its own, the hopeless are stopped.

Layers and units of a perceptron that tells two spirals apart. Deeper and narrower networks get
more epochs; networks are compared at equal progress through their budgets, never at equal step.
"""

import optuna
import torch
from torch import nn

from optuna_egnas import Budget, BudgetPruner, training_budget

torch.set_num_threads(1)
draw = torch.Generator().manual_seed(0)
turn, label = 8 * torch.rand(1200, generator=draw).sqrt(), torch.arange(1200) % 2
angle = turn + torch.pi * label
points = torch.stack([turn * angle.cos(), turn * angle.sin()], dim=1)
points = (points + 0.3 * torch.randn(1200, 2, generator=draw)) / 8


def size(params: dict[str, int]) -> dict[str, int]:
    layers, units = params["layers"], params["units"]
    weights = 4 * units + (layers - 1) * units**2
    return {"depth": layers, "params": weights + layers * units + 2, "macs": weights}


def objective(trial: optuna.Trial) -> float:
    layers, units = trial.suggest_int("layers", 1, 6), trial.suggest_int("units", 4, 64)
    budget = training_budget(trial)
    torch.manual_seed(trial.number)
    inner = [part for _ in range(layers) for part in (nn.LazyLinear(units), nn.ReLU())]
    network = nn.Sequential(*inner, nn.LazyLinear(2))
    network(points)
    optimizer = torch.optim.SGD(network.parameters(), lr=budget.learning_rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, budget.epochs)
    for epoch in range(1, budget.epochs + 1):
        for batch in torch.randperm(800).split(budget.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(points[batch]), label[batch]).backward()
            optimizer.step()
        schedule.step()
        right = network(points[800:]).argmax(1) == label[800:]
        trial.report(right.float().mean().item(), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return right.float().mean().item()


first = Budget(epochs=12, learning_rate=0.1, batch_size=32)
pruner = BudgetPruner(first, policy="cost", size=size, reference=size({"layers": 3, "units": 32}))
sampler = optuna.samplers.TPESampler(seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
study.optimize(objective, n_trials=30)
for trial in study.trials:
    epochs, why = trial.user_attrs["budget"]["epochs"], trial.user_attrs.get("stopped", "")
    print(f"{trial.params}: {trial.last_step} of {epochs} epochs, {trial.value:.3f} {why}")
