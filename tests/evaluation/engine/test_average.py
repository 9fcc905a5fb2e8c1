"""The average of the weights: what it is, what it leaves alone, and that it is a network."""

import pytest
import torch
from small_trainings import SMALL, network_of, same, samples
from torch.optim.optimizer import register_optimizer_step_post_hook

from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.evaluation.engine.state import TrainingState
from optuna_egnas.options import Recipe


def run(ema, *, epochs=2, look=None):
    """The weights and the last snapshot of a training of four steps an epoch."""
    network, state = network_of(SMALL), TrainingState(ema=ema)
    handle = register_optimizer_step_post_hook(lambda *_: look and look(network))
    try:
        for _ in train(
            network,
            samples(32),
            None,
            epochs=epochs,
            recipe=Recipe(batch_size=8),
            seed=1,
            device="cpu",
            state=state,
        ):
            snapshot = state.snapshot()
    finally:
        handle.remove()
    return network.state_dict(), snapshot


@pytest.mark.parametrize("ema", [0.5, 0.6, 0.999])
def test_is_that_of_the_weights_after_each_step(ema):
    seen = []
    weights, snapshot = run(ema, look=lambda net: seen.append(net.head.weight.clone()))
    assert len(seen) == 8
    expected = seen[0].detach()
    for step, value in enumerate(seen[1:], start=2):
        share = max(1 - ema, 1 / step)
        expected = expected + share * (value.detach() - expected)

    assert torch.allclose(snapshot["average"]["head.weight"], expected, atol=1e-7)
    assert not torch.equal(snapshot["average"]["head.weight"], weights["head.weight"])


def test_long_memory_is_the_mean_of_a_short_training():
    seen = []
    _, snapshot = run(0.999, look=lambda net: seen.append(net.head.bias.detach().clone()))

    assert torch.allclose(snapshot["average"]["head.bias"], torch.stack(seen).mean(0), atol=1e-7)


def test_the_training_itself_does_not_change():
    plain, without = run(0.0)
    weights, with_it = run(0.9)

    assert same(plain, weights)
    assert "average" not in without
    assert same(with_it["weights"], without["weights"])


def test_is_a_network_of_its_own():
    """With the statistics of its batch norms, averaged likewise."""
    weights, snapshot = run(0.9)
    average = snapshot["average"]

    network = network_of(SMALL)
    network.load_state_dict(average)

    assert average.keys() == weights.keys()
    norms = [name for name in weights if name.endswith("running_var")]
    assert norms
    assert all(not torch.equal(average[name], weights[name]) for name in norms)
