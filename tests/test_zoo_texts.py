"""Networks for the words of a text: what they compute, whatever a text is batched with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch
from allotrope.network import zoo
from allotrope.runtimes import runtime
from allotrope.tasks import Classification
from allotrope.training.plan import plan_for
from tested import TESTED

SIZE = zoo.EncoderSize(dimension=16, layers=1, heads=4, intermediate=24, positions=12)
SMALL = {
    "text_cnn": {"dimension": 6, "filters": 5},
    "lstm": {"dimension": 6, "hidden": 5},
    "gru": {"dimension": 6, "hidden": 5},
    "transformer": {"size": SIZE},
}
VOCABULARY = np.minimum(np.arange(40), 30).astype(np.int32)
TEXTS = [[3, 7, 1, 29, 35, 8], [5], [], [9, 9, 2], [int(word) for word in range(1, 12)]]


def built(name, **options):
    """A small network whose features all count."""
    return zoo.TEXT_NETWORKS[name](3, VOCABULARY, **SMALL[name] | options)


def rows(texts, width):
    words = np.zeros((len(texts), width), np.int32)
    for row, text in zip(words, texts, strict=True):
        row[: len(text)] = text
    return words


@pytest.mark.parametrize("name", SMALL)
def test_what_a_text_is_batched_with_does_not_matter(framework, name):
    network = built(name)
    together = network.run({"words": rows(TEXTS, 16)}, framework)["fc"]
    expected = network.run({"words": rows(TEXTS, 16)}, "reference")["fc"]
    np.testing.assert_allclose(together, expected, rtol=1e-4, atol=1e-5)
    apart = (TEXTS[2:4], 3), (TEXTS[4:], 20)
    answers = [network.run({"words": rows(*each)}, framework)["fc"] for each in apart]
    np.testing.assert_allclose(np.concatenate(answers), together[2:], rtol=1e-4, atol=1e-5)
    # Texts that differ have answers that differ.
    assert len(np.unique(together.round(4), axis=0)) == len(TEXTS)


@pytest.mark.parametrize("framework", [name for name in TESTED if name != "pytorch"])
@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_frameworks_learn_alike(framework, name):
    """Losses of steps with the same dropout: if gradients were not equal, they would part."""
    network, task = built(name), Classification(name="fc", classes=("a", "b", "c"))
    labels = np.arange(len(TEXTS)) % 3
    recipe = Recipe(optimizer="adamw", learning_rate=0.01, average=None)
    plan = plan_for(network, recipe, [task], {"fc": labels})
    targets = task.encode(labels)[0]
    batch = Batch({"words": rows(TEXTS, 12)}, {"fc": targets})

    def losses(name):
        trainer = find_framework(name).trainer(network, plan, Settings())
        return [float(trainer.step(batch, 0.03, step)) for step in range(1, 5)]

    np.testing.assert_allclose(losses(framework), losses("pytorch"), rtol=2e-4)


def test_the_transformer_is_berts_encoder():
    """Its names are BERT's, and a layer of it is PyTorch's own of normalized residuals."""
    torch = pytest.importorskip("torch")
    network = built("transformer", size=replace(SIZE, layers=2))
    layer = "encoder.layer.1."
    dense = ("attention.self.query", "attention.self.key", "attention.self.value")
    dense += ("attention.output.dense", "intermediate.dense", "output.dense")
    normalized = ("attention.output.LayerNorm", "output.LayerNorm")
    names = {f"{layer}{each}.{kind}" for each in dense + normalized for kind in ("weight", "bias")}
    names |= {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"}
    names |= {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}
    assert names <= network.trainable

    rng = np.random.default_rng(0)
    weights = {
        name: rng.standard_normal(array.shape).astype(np.float32) * 0.3
        for name, array in network.weights.items()
    }
    network = network.with_weights(weights)
    w = {name: torch.tensor(array) for name, array in weights.items()}
    words = rows(TEXTS[:1], 8)
    x = w["embeddings.word_embeddings.weight"][VOCABULARY[words]]
    x = x + w["embeddings.position_embeddings.weight"][:8]
    norm = [w[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")]
    x = torch.nn.functional.layer_norm(x, (16,), *norm, eps=1e-12)
    for number in range(2):
        x = _bert_layer(torch, w, f"encoder.layer.{number}.")(
            x, src_key_padding_mask=torch.tensor(words == 0)
        )
    mean = x[0, :6].mean(0)
    expected = mean @ w["fc.weight"].T + w["fc.bias"]
    answer = network.run({"words": words}, "pytorch")["fc"][0]
    np.testing.assert_allclose(answer, expected.detach().numpy(), rtol=1e-4, atol=1e-4)


def _bert_layer(torch, w, prefix):
    layer = torch.nn.TransformerEncoderLayer(
        16, 4, 24, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
    )
    own = {"linear1": "intermediate.dense", "linear2": "output.dense"}
    own |= {"norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm"}
    own |= {"self_attn.out_proj": "attention.output.dense"}
    state = {
        f"{ours}.{kind}": w[f"{prefix}{theirs}.{kind}"]
        for ours, theirs in own.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        parts = [w[f"{prefix}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
    layer.load_state_dict(state)
    return layer.eval()


@pytest.mark.parametrize("runtime_name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", SMALL)
def test_runtimes_answer_several_texts_as_the_reference_does(runtime_name, name, tmp_path):
    """OpenVINO 2026.4 does not, of a recurrent layer that is told lengths."""
    network = built(name)
    network.save(tmp_path / "network.onnx")
    session = runtime(runtime_name).open(tmp_path / "network.onnx", "float32", 1)
    for texts, width in ((TEXTS, 12), (TEXTS[:2], 40), (TEXTS[2:3], 1)):
        words = rows(texts, width)
        expected = network.run({"words": words}, "reference")["fc"]
        answers = session.run({"words": words})["fc"]
        np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)
