"""What a network computes is kept where it inherits its weights from a like one."""

from dataclasses import replace

import pytest
import torch
from small_trainings import RECIPE, network_of, place_in, samples, seeded, task, trained

from optuna_egnas import Architecture, Operation
from optuna_egnas._methods.egnas.operations import OPERATIONS
from optuna_egnas._methods.egnas.weights import inherit
from optuna_egnas.evaluation.engine.candidate import train_candidate
from optuna_egnas.evaluation.engine.seed import candidate_seed, seed_of
from optuna_egnas.methods import Candidate

SEP, CONV = Architecture.chain(depth=6, width=4), Architecture.chain(depth=6, width=4, op="conv")
MIXED = Architecture(width=4, ops=("sep", "conv") * 3, kernels=(3, 3, 5, 3, 5, 5))
KEPT = 1e-5


def chain(depth, width=4):
    return Architecture.chain(depth=depth, width=width)


def with_op(architecture, layer, op):
    ops = (*architecture.ops[:layer], op, *architecture.ops[layer + 1 :])
    return replace(architecture, ops=ops)


def with_kernel(architecture, layer, kernel):
    kernels = (*architecture.kernels[:layer], kernel, *architecture.kernels[layer + 1 :])
    return replace(architecture, kernels=kernels)


def parent_of(architecture):
    """A network with batch norms as after a training, in evaluation mode."""
    network = network_of(architecture, seed=1)
    for _ in trained(network, samples(64), samples(10, seed=1), epochs=2, seed=3):
        pass
    generator = seeded(4)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.normal_(1.0, 0.3, generator=generator)
            module.bias.data.normal_(0.0, 0.3, generator=generator)
    return network.eval()


def child_of(network, parent, architecture):
    child = network_of(architecture, seed=2)
    inherit(child, architecture, parent=parent, weights=network.state_dict())
    return child.eval()


def images(count=20):
    return torch.randn(count, 1, 8, 8, generator=seeded(9))


@torch.inference_mode()
def change(network, child):
    """The largest change of a logit, in parts of their spread."""
    before, after = network(images()), child(images())
    return ((before - after).abs().max() / before.std()).item()


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        pytest.param(SEP, SEP, id="the same network goes on"),
        pytest.param(chain(4), chain(5), id="a layer more in the middle stage"),
        pytest.param(chain(5), chain(6), id="a layer more in the first stage"),
        pytest.param(chain(6), chain(7), id="a layer more in the last stage, which moves both"),
        pytest.param(chain(5), chain(9), id="four layers more"),
        pytest.param(chain(7), chain(17), id="ten layers more"),
        pytest.param(replace(MIXED, width=6), replace(MIXED, width=7), id="wider"),
        pytest.param(chain(4, width=4), chain(6, width=5), id="deeper and wider"),
        *(
            pytest.param(architecture, with_op(architecture, layer, "conv"), id=f"conv {layer}")
            for architecture in (SEP, with_kernel(SEP, 2, 5))
            for layer in (0, 2, 5)
        ),
        *(
            pytest.param(architecture, with_kernel(architecture, layer, 5), id=f"kernel {layer}")
            for architecture in (SEP, CONV)
            for layer in (0, 2, 4)
        ),
        pytest.param(
            SEP, with_kernel(with_op(SEP, 3, "conv"), 3, 7), id="conv and a kernel of 7 at once"
        ),
    ],
)
def test_what_is_computed_is_kept(parent, child):
    network = parent_of(parent)

    assert change(network, child_of(network, parent, child)) < KEPT


def test_the_only_layer_of_the_last_stage_is_lifted_over_the_relu_behind_it():
    network = parent_of(chain(3))

    child = child_of(network, chain(3), chain(4))

    assert change(network, child) < KEPT


@pytest.mark.parametrize(
    ("parent", "child"), [(SEP, chain(8)), (SEP, SEP), (SEP, with_op(SEP, 1, "conv"))]
)
def test_in_training_mode_it_begins_close_to_its_parent(parent, child):
    network = parent_of(parent)
    kept = child_of(network, parent, child).train()

    with torch.no_grad():
        before, after = network.train()(images(200)), kept(images(200))

    assert (before - after).abs().mean() < 0.1 * before.std()


@pytest.mark.parametrize("architecture", [SEP, CONV, MIXED])
def test_a_narrower_network_loses_nothing_where_channels_were_idle(architecture):
    network = parent_of(architecture)
    wide = child_of(network, architecture, replace(architecture, width=7))

    narrow = child_of(wide, replace(architecture, width=7), architecture)

    assert change(network, narrow) < KEPT


def test_a_narrower_network_keeps_the_channels_that_count():
    network = parent_of(SEP)
    norm = network.layers[1][2]
    with torch.no_grad():
        for idle in (1, 2):
            # What never passes the ReLU is not seen by anybody, however long the kernels.
            norm.weight[idle], norm.bias[idle] = 1e-3, -1.0

    child = child_of(network, SEP, replace(SEP, width=2))

    assert torch.equal(child.layers[1][2].bias, norm.bias[[0, 3]])


def test_a_narrower_network_is_closer_to_its_parent_than_one_of_other_channels():
    network = parent_of(chain(6, width=8))
    kept = change(network, child_of(network, chain(6, width=8), chain(6, width=7)))

    assert kept < change(network, network_of(chain(6, width=7), seed=2).eval())


@pytest.mark.parametrize(
    ("parent", "child"),
    [(chain(1), chain(2)), (chain(2), chain(3)), (chain(2), chain(7)), (chain(9), chain(4))]
    + [(chain(3), chain(9)), (CONV, SEP), (with_kernel(SEP, 1, 5), SEP), (CONV, MIXED)],
)
def test_whatever_cannot_be_kept_begins_as_new(parent, child):
    network = parent_of(parent)

    begun = child_of(network, parent, child)

    assert torch.isfinite(begun(images())).all()
    assert torch.equal(begun.head.bias, network.head.bias)


def test_a_candidate_begins_where_its_parent_ended(tmp_path):
    still = task(recipe=replace(RECIPE, learning_rate=1e-30, weight_decay=0.0))
    parent = Candidate(architecture=SEP, epochs=1)
    child = Candidate(architecture=replace(SEP, width=5), epochs=1, parent=parent)
    place, weights = place_in(tmp_path, candidate=child), parent_of(SEP).state_dict()

    for _ in train_candidate(still, child, start=None, place=place, inherited=weights):
        pass

    begun = place.latest_weights()
    assert torch.equal(begun["head.weight"][:, :16], weights["head.weight"])
    assert begun["head.weight"][:, 16:].abs().max() < 1e-20, "nobody looks at what is new"


def test_the_seed_is_that_of_the_whole_lineage():
    parents = [Candidate(architecture=SEP, epochs=epochs) for epochs in (1, 2)]
    children = [None, *parents, replace(parents[0], parent=parents[1])]
    candidates = [Candidate(architecture=CONV, epochs=1, parent=each) for each in children]

    assert len({seed_of(0, candidate) for candidate in candidates}) == 4
    assert seed_of(0, candidates[0]) == candidate_seed(0, CONV, 1, 0), "as before, from scratch"


def test_what_is_new_is_drawn_from_the_networks_own_seed():
    network = parent_of(SEP)
    wide = replace(SEP, width=5)
    first, again = child_of(network, SEP, wide), child_of(network, SEP, wide)
    other = network_of(wide, seed=8)
    inherit(other, wide, parent=SEP, weights=network.state_dict())

    assert change(first, again) == 0
    assert not torch.equal(first.stem[0].weight, other.stem[0].weight)
    assert torch.equal(first.stem[0].weight[:8], network.stem[0].weight)


@pytest.mark.parametrize("width", [4, 3])
def test_an_operation_of_ones_own_is_kept_where_its_channels_are(monkeypatch, width):
    module = "optuna_egnas._methods.egnas.network:convolution"
    own = Operation(name="own", weights=lambda p, c, k: p * c * k * k, module=module)
    monkeypatch.setitem(OPERATIONS, "own", own)
    parent = with_op(SEP, 2, "own")
    network = parent_of(parent)

    child = child_of(network, parent, replace(parent, width=width))

    same = child.layers[2][1].weight.shape == network.layers[2][1].weight.shape
    assert same == (width == 4)
    assert not same or change(network, child) < KEPT
