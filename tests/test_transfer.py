"""Networks of the zoo with weights that other libraries published: names, layouts, what is said."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from allotrope.architectures.linear_probe import probed
from allotrope.errors import ModelError, UsageError
from allotrope.network import zoo
from allotrope.network.zoo.hub import fetched, hub_name
from allotrope.network.zoo.keras_layout import from_keras
from allotrope.network.zoo.transferred import transferred
from allotrope.verbs.weights_asked import check_weights
from planned import of_digits
from quick import fit

IMAGE = (3, 32, 32)


def numbered(network):
    """Weights of the network's names and shapes, each with numbers of its own."""
    random = np.random.default_rng(5)
    return {
        name: random.uniform(0.1, 1, array.shape).astype(np.float32)
        for name, array in network.weights.items()
    }


def saved(tmp_path, arrays):
    path = tmp_path / "published.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def in_keras(name, array):
    layer, _, part = name.rpartition(".")
    normalization = {"weight": "gamma", "bias": "beta"}
    others = {"running_mean": "moving_mean", "running_var": "moving_variance"}
    if layer.endswith("_bn"):
        return f"{layer}/{(normalization | others)[part]}", array
    if part == "bias":
        return f"{layer}/bias", array
    if layer.startswith("conv_dw"):
        return f"{layer}/depthwise_kernel", array.transpose(2, 3, 0, 1)
    return f"{layer}/kernel", array.transpose(2, 3, 1, 0)


def in_torchvision(name, array):
    """ConvNeXt as torchvision calls it."""
    parts = {"conv_dw": "0", "norm": "2", "mlp": "3"}
    words = name.split(".")
    if words[0] == "stem":
        return f"features.0.{words[1]}.{words[2]}", array
    if words[0] == "head":
        return f"classifier.{0 if words[1] == 'norm' else 2}.{words[2]}", array
    if words[2] == "downsample":
        return f"features.{2 * int(words[1])}.{words[3]}.{words[4]}", array
    block = f"features.{2 * int(words[1]) + 1}.{words[3]}"
    if words[4] == "gamma":
        return f"{block}.layer_scale", array.reshape(-1, 1, 1)
    part = "5" if words[5] == "fc2" else parts[words[4]]
    return f"{block}.block.{part}.{words[-1]}", array


def in_hugging_face(arrays):
    """DeiT's weights as transformers calls them, query, key and value apart."""
    ends = {"cls_token": "cls_token", "pos_embed": "position_embeddings"}
    inner = {
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    named = {}
    for name, array in arrays.items():
        layer, _, part = name.rpartition(".")
        words = layer.split(".")
        if name in ends:
            named[f"vit.embeddings.{ends[name]}"] = array
        elif layer == "patch_embed.proj":
            named[f"vit.embeddings.patch_embeddings.projection.{part}"] = array
        elif words[0] != "blocks":
            named[{"norm": "vit.layernorm.", "head": "classifier."}[layer] + part] = array
        elif layer.endswith("qkv"):
            for kind, values in zip(("query", "key", "value"), np.split(array, 3), strict=True):
                own = f"vit.encoder.layer.{words[1]}.attention.attention.{kind}.{part}"
                named[own] = values
        else:
            own = inner[".".join(words[2:])]
            named[f"vit.encoder.layer.{words[1]}.{own}.{part}"] = array
    return named


def assert_weights(network, expected):
    assert set(network.weights) == set(expected)
    for name, array in network.weights.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_keras_names_and_layouts_and_the_width_of_the_file(tmp_path):
    own = numbered(zoo.mobilenet_v1(7, IMAGE, width=0.25))
    path = saved(tmp_path, dict(in_keras(name, array) for name, array in own.items()))
    loaded = transferred(zoo.mobilenet_v1, IMAGE, path, 0)
    assert_weights(loaded.network, own)
    assert "137 of the 137 weights of mobilenet_v1" in loaded.line
    assert "in Keras names; at width 0.25" in loaded.line


def test_keras_writes_a_layers_name_once_or_twice_and_a_number_behind():
    kernel = np.arange(6.0).reshape(2, 3)
    for name in ("dense/kernel", "dense/dense/kernel:0"):
        np.testing.assert_array_equal(from_keras({name: kernel})["dense.weight"], kernel.T)


def test_torchvisions_convnext_is_timms(tmp_path):
    def build(classes, image, **options):
        return zoo.convnext_atto(classes, image, **options)

    own = numbered(build(4, (3, 64, 64)))
    path = saved(tmp_path, dict(in_torchvision(name, array) for name, array in own.items()))
    loaded = transferred(build, (3, 64, 64), path, 0)
    assert_weights(loaded.network, own)
    assert "in torchvision names" in loaded.line


def test_hugging_faces_query_key_and_value_are_one_weight(tmp_path):
    def build(classes, image, **options):
        return zoo.deit_tiny(classes, image, depth=2, **options)

    own = numbered(build(4, IMAGE))
    loaded = transferred(build, IMAGE, saved(tmp_path, in_hugging_face(own)), 0)
    assert_weights(loaded.network, own)


def test_hugging_faces_resnet(tmp_path):
    own = numbered(zoo.resnet18(4, IMAGE))
    named = {}
    for name, array in own.items():
        layer, _, part = name.rpartition(".")
        words = layer.split(".")
        kind = "normalization" if "bn" in layer or layer.endswith("downsample.1") else "convolution"
        if layer in ("conv1", "bn1"):
            named[f"resnet.embedder.embedder.{kind}.{part}"] = array
        elif layer == "fc":
            named[f"classifier.1.{part}"] = array
        else:
            stage, block = int(words[0][-1]) - 1, words[1]
            inner = f"layer.{int(words[2][-1]) - 1}" if len(words) == 3 else "shortcut"
            named[f"resnet.encoder.stages.{stage}.layers.{block}.{inner}.{kind}.{part}"] = array
    assert_weights(transferred(zoo.resnet18, IMAGE, saved(tmp_path, named), 0).network, own)


def test_timms_efficientnet_is_torchvisions(tmp_path):
    own = numbered(zoo.efficientnet_b0(4, IMAGE))
    plain = {"0.0": "conv_dw", "0.1": "bn1", "2.0": "conv_pw", "2.1": "bn2"}
    plain |= {"1.fc1": "se.conv_reduce", "1.fc2": "se.conv_expand"}
    wide = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "3.0": "conv_pwl"}
    wide |= {"2.fc1": "se.conv_reduce", "2.fc2": "se.conv_expand", "3.1": "bn3"}
    ends = {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.8.0": "conv_head"}
    ends |= {"features.8.1": "bn2", "classifier.1": "classifier"}
    named = {}
    for name, array in own.items():
        layer, _, part = name.rpartition(".")
        if layer not in ends:
            _, stage, block, _, *inner = layer.split(".")
            parts = plain if stage == "1" else wide
            ends[layer] = f"blocks.{int(stage) - 1}.{block}.{parts['.'.join(inner)]}"
        named[f"{ends[layer]}.{part}"] = array
    assert_weights(transferred(zoo.efficientnet_b0, IMAGE, saved(tmp_path, named), 0).network, own)


def test_a_wrapped_file_without_a_last_layer_begins_that_anew(tmp_path):
    own = numbered(zoo.resnet8(9, IMAGE))
    named = {f"module.{name}": array for name, array in own.items() if not name.startswith("fc.")}
    named["module.bn1.num_batches_tracked"] = np.int64([3])
    named["module.auxiliary"] = np.zeros(2, np.float32)
    loaded = transferred(zoo.resnet8, IMAGE, saved(tmp_path, named), 0)
    np.testing.assert_array_equal(loaded.network.weights["conv1.weight"], own["conv1.weight"])
    assert "no last layer: fc.bias, fc.weight begin anew" in loaded.line
    assert "1 in the file are not used: auxiliary" in loaded.line


def test_places_of_patches_are_resampled_for_another_size(tmp_path):
    def build(classes, image, **options):
        return zoo.deit_tiny(classes, image, depth=1, **options)

    own = numbered(build(4, (3, 64, 64)))
    ramp = np.linspace(0, 1, 4, dtype=np.float32)
    own["pos_embed"][0, 1:] = np.repeat(ramp, 4)[:, None]
    loaded = transferred(build, (3, 128, 96), saved(tmp_path, own), 0).network
    places = loaded.weights["pos_embed"]
    assert places.shape == (1, 1 + 8 * 6, 192)
    np.testing.assert_array_equal(places[0, 0], own["pos_embed"][0, 0])
    rows = places[0, 1:].reshape(8, 6, 192)
    assert (np.diff(rows[:, 0, 0]) > 0).all() and np.ptp(rows[3], axis=0).max() < 1e-5


def test_all_shapes_that_do_not_fit_are_listed(tmp_path):
    own = numbered(zoo.resnet8(4, IMAGE))
    own["layer2.0.conv1.weight"] = np.zeros((5, 5, 3, 3), np.float32)
    own["bn1.bias"] = np.zeros(3, np.float32)
    del own["layer3.0.bn1.weight"]
    with pytest.raises(ModelError) as raised:
        transferred(zoo.resnet8, IMAGE, saved(tmp_path, own), 0)
    for part in (
        "2 of another shape",
        "layer2.0.conv1.weight is [5, 5, 3, 3] and must be [32, 16, 3, 3]",
        "bn1.bias is [3] and must be [16]",
        "1 missing: layer3.0.bn1.weight",
    ):
        assert part in str(raised.value)


def test_the_weights_of_another_network_are_named(tmp_path):
    path = saved(tmp_path, numbered(zoo.squeezenet1_1(4, IMAGE)))
    with pytest.raises(ModelError, match=r"missing: conv1.weight.*calls its weights classifier"):
        transferred(zoo.resnet8, IMAGE, path, 0)


@pytest.mark.parametrize(
    ("network", "weights", "message"),
    [
        ("auto", "w.safetensors", "--weights needs the network that they are of"),
        ("resnet18", "w.pt", "no .safetensors file, the only kind that is read"),
        ("resnet18", "hub:timm/resnet18", "names no revision"),
        ("resnet18", "hub:timm/resnet18@", "names no revision"),
        ("resnet18", "hub:../../etc@main", "names no model of the hub"),
    ],
)
def test_what_cannot_be_weights_is_refused_before_anything_is_read(network, weights, message):
    with pytest.raises(UsageError, match=message):
        check_weights(network, None, weights)


class Hub(BaseHTTPRequestHandler):
    """A hub with one model at one commit."""

    content = b""
    commit = "a" * 40

    def do_HEAD(self):
        known = self.path == "/owner/model/resolve/v1/model.safetensors"
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(self.content) if known else 0))
        self.end_headers()
        return known

    def do_GET(self):
        if self.do_HEAD():
            self.wfile.write(self.content)

    def log_message(self, *message):
        pass


def test_weights_of_the_hub_are_fetched_at_the_revision_that_was_named(tmp_path):
    Hub.content = save(numbered(zoo.resnet8(4, IMAGE)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place = {"endpoint": f"http://127.0.0.1:{server.server_port}", "cache": tmp_path}
        path = fetched("hub:owner/model@v1", **place)
        assert path.read_bytes() == Hub.content and Hub.commit in str(path)
        with pytest.raises(ModelError, match="at revision 'v2' could not be fetched"):
            fetched("hub:owner/model@v2", **place)
    finally:
        server.shutdown()
        server.server_close()
    assert hub_name("hub:owner/model@v1") == ("owner/model", "v1")


def test_fit_begins_with_the_weights_and_a_new_head(tmp_path):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 120)
    pictures = (random.integers(0, 60, (120, 16, 16, 1)) + 60 * labels[:, None, None, None]).astype(
        np.uint8
    )
    own = numbered(zoo.resnet8(10, (3, 16, 16)))
    path = saved(tmp_path, own)
    run = fit(
        {"image": pictures, "label": labels},
        network="resnet8",
        weights=str(path),
        mean="127.5",
        std="127.5",
        probe=True,
        epochs=1,
        threads=1,
        precision="float32",
        memory_layout="default",
        compile=False,
        out=tmp_path / "runs",
        quiet=True,
    )
    record = json.loads((run.folder / "run.json").read_text())
    assert record["network"] == "resnet8"
    notes = " ".join(record["fine_tuning"]["notes"] + record["fine_tuning"]["repairs"])
    assert "47 of the 47 weights of resnet8 come from published.safetensors" in notes
    assert record["fine_tuning"]["replaced"] == []
    assert "The new last layer learns" not in str(record["network_details"])
    assert "Linear probe: with the last layer alone fitted to the features of 84" in notes
    assert "The last layer was for 10 classes; it has fresh weights for 3" in notes


def test_a_linear_probe_is_what_scikit_learn_fits_to_the_features(digits):
    from sklearn.linear_model import LogisticRegression

    network = of_digits(zoo.cnn(10, (1, 8, 8), channels=(4,), hidden=(16,), seed=1))
    fitted, line = probed(network, digits, "pytorch")
    (picture,), (task,) = digits.inputs, digits.tasks
    inner = network.graph.values["fc1.relu"]
    features = network.changed(graph=replace(network.graph, outputs=(inner,)))
    train, held = (
        features.run({picture.name: split[picture.name]}, "pytorch")[inner.name]
        for split in (digits.train, digits.validation)
    )
    mean, std = train.mean(0), np.where(train.std(0) > 0, train.std(0), 1)
    model = LogisticRegression(max_iter=500).fit((train - mean) / std, digits.train[task.name])
    expected = model.predict((held - mean) / std)
    answers = fitted.run({picture.name: digits.validation[picture.name]}, "pytorch")[task.name]
    assert (answers.argmax(1) == expected).mean() > 0.99
    right = (answers.argmax(1) == digits.validation[task.name]).mean()
    assert right > 0.6 and f"{right:.2%}" in line
    others = {name for name in network.weights if not name.startswith("fc.")}
    assert all((fitted.weights[name] == network.weights[name]).all() for name in others)


def test_a_probe_needs_a_linear_last_layer(digits):
    network = of_digits(zoo.squeezenet1_1(10, (1, 8, 8), width=0.25))
    with pytest.raises(UsageError, match="--probe needs a last layer with a bias"):
        probed(network, digits, "pytorch")
