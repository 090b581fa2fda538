"""The zoo's further photograph networks: as large as published, named alike, equal everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find
from allotrope.frameworks.widening import widened
from allotrope.network import zoo
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import multiply_adds, parameters
from allotrope.network.used import without_unused
from allotrope.network.zoo.small_pictures import strides_for
from planned import batch_for, planned

# Parameters and giga multiply-adds at 224 x 224 and 1,000 classes: num_params and GFLOPS of
# torchvision's pages, such as
# https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.densenet121.html;
# timm's results for convnext_atto (3.70 M, 0.55) and deit_tiny_patch16_224 (5.72 M, 1.26);
# mobilenet_v1: table 1 of the paper (4.2 M, 0.57).
PUBLISHED = {
    "convnext_atto": (3.70e6, 0.55),
    "convnext_tiny": (28_589_128, 4.46),
    "deit_tiny": (5_717_416, 1.25),
    "densenet121": (7_978_856, 2.83),
    "efficientnet_b0": (5_288_548, 0.39),
    "mobilenet_v1": (4.23e6, 0.57),
    "mobilenet_v3_large": (5_483_032, 0.22),
    "mobilenet_v3_small": (2_542_856, 0.06),
    "shufflenet_v2_x0_5": (1_366_792, 0.04),
    "shufflenet_v2_x1_0": (2_278_604, 0.14),
    "squeezenet1_0": (1_248_424, 0.82),
    "squeezenet1_1": (1_235_496, 0.35),
}
# A few names of each family's published file, and how many entries that has without PyTorch's
# counters of batches.
NAMES = {
    "convnext_tiny": "stem.0.bias stages.1.downsample.1.weight stages.2.blocks.8.mlp.fc2.bias "
    "stages.0.blocks.0.conv_dw.weight stages.0.blocks.0.gamma head.norm.bias head.fc.weight 182",
    "deit_tiny": "cls_token pos_embed patch_embed.proj.weight blocks.11.attn.qkv.bias norm.weight "
    "blocks.0.attn.proj.weight blocks.3.mlp.fc1.weight blocks.3.norm2.bias head.bias 152",
    "densenet121": "features.conv0.weight features.denseblock3.denselayer24.norm2.running_var "
    "features.transition3.conv.weight features.norm5.bias classifier.weight 606",
    "efficientnet_b0": "features.0.0.weight features.1.0.block.1.fc1.bias features.8.1.running_var "
    "features.4.2.block.3.1.weight features.2.0.block.2.fc2.weight classifier.1.bias 311",
    "mobilenet_v3_large": "features.0.1.running_mean features.4.block.2.fc1.weight "
    "features.15.block.3.0.weight features.16.0.weight classifier.0.bias classifier.3.weight 266",
    "mobilenet_v3_small": "features.1.block.1.fc1.weight features.11.block.3.1.bias 210",
    "shufflenet_v2_x1_0": "conv1.1.running_var stage2.0.branch1.3.weight stage4.3.branch2.6.bias "
    "stage3.7.branch2.3.weight conv5.0.weight fc.bias 282",
    "squeezenet1_0": "features.0.bias features.12.expand3x3.weight classifier.1.bias 52",
    "squeezenet1_1": "features.3.squeeze.weight features.12.expand1x1.weight 52",
    "vgg11": "features.0.weight features.18.bias classifier.0.weight classifier.6.bias 22",
    "vgg16_bn": "features.41.running_var features.40.weight classifier.3.weight 84",
}
SMALL = {"width": 0.25}
BUILT = {**dict.fromkeys(PUBLISHED, SMALL), "vgg11_bn": SMALL, "vgg16": SMALL, "unet": SMALL}
BUILT["deit_tiny"] = {"width": 0.25, "depth": 2}
IMAGE = (3, 18, 17)
# One of each family; its others differ in the table alone.
EVERYWHERE = (
    *("convnext_atto", "deit_tiny", "densenet121", "efficientnet_b0", "mobilenet_v1"),
    *("mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_0", "vgg11_bn", "unet"),
)


def built(name, image=IMAGE, **options):
    """A narrow one, whose scales and biases are far enough from 0 that each node counts."""
    networks = {**zoo.NETWORKS, **zoo.SEGMENTING}
    network = networks[name](3, image, **{**BUILT[name], **options})
    random = np.random.default_rng(1)
    moved = {
        weight: array + random.uniform(0, 0.1, array.shape).astype(array.dtype)
        for weight, array in network.weights.items()
        if array.ndim == 1
    }
    return network.with_weights(moved)


def pictures(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("name", PUBLISHED)
def test_they_are_as_large_as_published(name):
    network = zoo.network(name)(1000, (3, 224, 224))
    expected, giga = PUBLISHED[name]
    assert parameters(network) == pytest.approx(expected, abs=5000 if expected % 1e4 == 0 else 0)
    assert multiply_adds(network) / 1e9 == pytest.approx(giga, abs=0.006)


def test_vgg_is_as_large_as_published():
    # Pictures of 64 pixels leave 2 x 2 places; 49 of them have only the first dense layer larger.
    network = zoo.vgg16_bn(1000, (3, 64, 64))
    assert parameters(network) + (49 - 4) * 512 * 4096 == 138_365_992


def test_unet_is_as_large_as_published():
    # The 31,037,698 of https://github.com/milesial/Pytorch-UNet with 3 channels and 2 classes.
    network = zoo.unet(2, (3, 32, 32))
    assert parameters(network) == 31_037_698
    assert {"inc.double_conv.0.weight", "up4.up.bias", "outc.conv.bias"} < set(network.weights)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_published_files(name):
    *names, count = NAMES[name].split()
    # A narrower MobileNetV3 has other layers that need not expand.
    narrow = {} if name.startswith("mobilenet_v3") else {"width": 0.1}
    network = zoo.network(name)(3, (3, 64, 64), **narrow)
    assert set(names) <= set(network.weights)
    assert len(network.weights) == int(count)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_outputs_are_the_references_in_float64(name, framework):
    image = IMAGE if name == "unet" else (3, 9, 8)
    network = widened(built(name, image))
    x = {"x": pictures(2, *image)}
    expected = network.run(x)["logits"]
    assert np.ptp(expected) > 1e-6 * np.abs(expected).max()
    answer = network.run(x, framework=framework)["logits"]
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", BUILT)
def test_running_statistics_follow_within_minutes(name):
    """Whatever momentum the authors took for days: these are answered by after some 200 steps."""
    nodes = built(name).graph.nodes
    momenta = {
        node.attributes["momentum"] for node in nodes if node.operator == "BatchNormalization"
    }
    assert momenta <= {0.9}


def as_far_as(network, name):
    """The part of a network that computes one of its values, which is then its output."""
    value = network.graph.values.get(name, network.outputs[0])
    return network.changed(graph=without_unused(replace(network.graph, outputs=(value,))))


@pytest.mark.parametrize(
    ("name", "last"),
    # The units of a ShuffleNet are alike: the first three, which shuffle, split and join.
    [("deit_tiny", "logits"), ("shufflenet_v2_x0_5", "stage2.2.shuffled")],
)
def test_gradients_agree_in_float64(name, last, framework):
    if framework == "reference":
        pytest.skip("has no gradients")
    network = widened(as_far_as(built(name, (3, 8, 8)), last))
    x, rng = {"x": pictures(2, 3, 8, 8)}, np.random.default_rng(2)
    seed = {last: rng.standard_normal((2, *network.outputs[0].shape[1:]))}
    expected = network.gradients(x, seed, framework="pytorch")
    for weight, gradient in network.gradients(x, seed, framework=framework).items():
        largest = np.abs(expected[weight]).max()
        np.testing.assert_allclose(gradient, expected[weight], rtol=0, atol=1e-9 * largest + 1e-12)


@pytest.mark.parametrize("name", [name for name in BUILT if name != "unet"])
def test_a_training_step_lowers_the_loss(name):
    network = named_after(built(name, dropout=0.0), ["image"], ["logits"])
    recipe = Recipe(optimizer="adamw", decay_kind="decoupled", epochs=1)
    plan = planned(network, recipe, np.ones(3))
    trainer = find("pytorch").trainer(network, plan, Settings(threads=1))
    target = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    batch = batch_for(network, pictures(4, *IMAGE).astype(np.float32), target)
    losses = [float(trainer.step(batch, 1e-4, step)) for step in range(1, 5)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize(
    ("activation", "normalization"), [("relu6", "group"), ("mish", "none"), ("prelu", "batch")]
)
def test_every_family_takes_every_style(name, activation, normalization):
    networks = {**zoo.NETWORKS, **zoo.SEGMENTING}
    options = {**BUILT[name], "activation": activation, "normalization": normalization}
    network = networks[name](3, (1, 16, 20), dropout=0.5, **options)
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    answer = network.run({"x": pictures(1, 1, 16, 20).astype(np.float32)})["logits"]
    assert np.isfinite(answer).all()
    operators = {node.operator for node in network.graph.nodes}
    assert any(each.endswith("Normalization") for each in operators) == (normalization != "none")
    assert "Dropout" in operators


@pytest.mark.parametrize("name", [name for name in BUILT if name != "unet"])
@pytest.mark.parametrize("image", [(1, 8, 8), (3, 28, 28), (3, 100, 70)])
def test_pictures_of_all_sizes_are_taken(name, image):
    network = zoo.network(name)(5, image, **BUILT[name])
    assert network.outputs[0].shape == ("n", 5)
    with pytest.raises(UsageError, match="too small"):
        zoo.network(name)(5, (1, 8, 7), **BUILT[name])


def test_strides_are_left_out_of_small_pictures_from_the_first():
    assert strides_for((3, 64, 64), (2, 2, 1, 2, 2, 2)) == (2, 2, 1, 2, 2, 2)
    assert strides_for((3, 32, 64), (2, 2, 1, 2, 2, 2)) == (1, 1, 1, 2, 2, 2)
    assert strides_for((1, 28, 28), (2, 2, 2, 2, 2)) == (1, 1, 2, 2, 2)
    assert strides_for((1, 8, 8), (2, 2, 2, 2, 2)) == (1, 1, 1, 1, 2)


def test_unet_keeps_the_sides_whatever_they_are():
    assert built("unet", (3, 33, 18)).outputs[0].shape == ("n", 3, 33, 18)
    with pytest.raises(UsageError, match="no task here has labels for pixels"):
        zoo.network("unet")
