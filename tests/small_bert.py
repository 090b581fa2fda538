"""A small network with BERT's inputs and weight names, and small tokenizers, made on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from allotrope.network.build import Builder

TEXTS = [
    "a superb film with a lovely sea",
    "the awful story of two dull friends",
    "great and fine, a superb story!",
    "poor film: dreadful, dull and awful.",
    "they travel to the sea and back again",
]
SIZE, HEADS, POSITIONS = 16, 2, 48
FLOAT, INT64 = 1, 7


def wordpiece() -> Tokenizer:
    """BERT's kind: lower-cased words and their parts, between [CLS] and [SEP]."""
    return Tokenizer.from_str(_wordpiece())


def byte_pairs() -> Tokenizer:
    """RoBERTa's kind: pairs of bytes, between <s> and </s>."""
    return Tokenizer.from_str(_byte_pairs())


# Trained once: which of two parts that are equally frequent comes first differs between trainings.


@cache
def _wordpiece() -> str:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    return str(tokenizer.to_str())


@cache
def _byte_pairs() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "<pad>", "</s>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return str(tokenizer.to_str())


class SmallBert:
    """One layer of an encoder that answers by its first token, as BERT does."""

    def __init__(self, rows: int, length: int | str = "sequence", masked: bool = True) -> None:
        self.build = build = Builder("bert")
        self.random = np.random.default_rng(0)
        shape = ("n", length)
        names = ["input_ids", "token_type_ids", *(["attention_mask"] if masked else [])]
        for name in names:
            build.input(name, np.int64, shape)
        x = self._embedded(rows)
        hidden = self._hidden() if masked else ""
        x = self._layer(x, hidden)
        first = build.add("Gather", [x, build.constant(np.int64(0))], {"axis": 1}, name="first")
        pooled = build.add("Tanh", [self._dense(first, "bert.pooler.dense", SIZE, SIZE)])
        build.output(self._dense(pooled, "classifier", SIZE, 2), "logits")

    def save(self, file: Path) -> Path:
        self.build.network().save(file)
        return file

    def _weight(self, name: str, *shape: int) -> str:
        drawn = self.random.normal(0, 0.3, shape).astype(np.float32)
        return self.build.weight(name, drawn)

    def _embedded(self, rows: int) -> str:
        build, name = self.build, "bert.embeddings"
        tables = {"word": rows, "position": POSITIONS, "token_type": 2}
        tables = {
            part: self._weight(f"{name}.{part}_embeddings.weight", count, SIZE)
            for part, count in tables.items()
        }
        end = build.add("Shape", ["input_ids"], {"start": 1, "end": 2}, name="length")
        zero, axis = (build.constant(np.array([n], np.int64)) for n in (0, 0))
        places = build.constant(np.arange(POSITIONS), "position_ids")
        places = build.add("Slice", [places, zero, end, axis])
        x = build.add("Gather", [tables["word"], "input_ids"])
        x = build.add("Add", [x, build.add("Gather", [tables["token_type"], "token_type_ids"])])
        x = build.add("Add", [x, build.add("Gather", [tables["position"], places])])
        return self._normalized(x, f"{name}.LayerNorm")

    def _hidden(self) -> str:
        """0 for a token and -10000 for padding: [n, 1, 1, w]."""
        build = self.build
        axes = build.constant(np.array([1, 2], np.int64))
        mask = build.add("Unsqueeze", ["attention_mask", axes])
        mask = build.add("Cast", [mask], {"to": FLOAT})
        lacking = build.add("Sub", [build.constant(np.float32(1)), mask])
        return build.add("Mul", [lacking, build.constant(np.float32(-1e4))])

    def _layer(self, x: str, hidden: str) -> str:
        build, name = self.build, "bert.encoder.layer.0"
        orders = {"query": (0, 2, 1, 3), "key": (0, 2, 3, 1), "value": (0, 2, 1, 3)}
        apart = build.constant(np.array([0, 0, HEADS, SIZE // HEADS], np.int64))
        parts = {}
        for part, order in orders.items():
            each = self._dense(x, f"{name}.attention.self.{part}", SIZE, SIZE)
            each = build.add("Reshape", [each, apart])
            parts[part] = build.add("Transpose", [each], {"perm": order})
        scores = build.add("MatMul", [parts["query"], parts["key"]])
        scores = build.add("Add", [scores, hidden]) if hidden else scores
        shares = build.add("Softmax", [scores], {"axis": -1})
        taken = build.add("MatMul", [shares, parts["value"]])
        taken = build.add("Transpose", [taken], {"perm": (0, 2, 1, 3)})
        taken = build.add("Reshape", [taken, build.constant(np.array([0, 0, SIZE], np.int64))])
        taken = self._dense(taken, f"{name}.attention.output.dense", SIZE, SIZE)
        x = self._normalized(build.add("Add", [x, taken]), f"{name}.attention.output.LayerNorm")
        wide = build.add("Gelu", [self._dense(x, f"{name}.intermediate.dense", SIZE, 32)])
        narrow = self._dense(wide, f"{name}.output.dense", 32, SIZE)
        return self._normalized(build.add("Add", [x, narrow]), f"{name}.output.LayerNorm")

    def _dense(self, x: str, name: str, taken: int, size: int) -> str:
        build = self.build
        turned = build.add("Transpose", [self._weight(f"{name}.weight", size, taken)])
        product = build.add("MatMul", [x, turned])
        return build.add("Add", [product, self._weight(f"{name}.bias", size)])

    def _normalized(self, x: str, name: str) -> str:
        scale = self.build.weight(f"{name}.weight", np.ones(SIZE, np.float32))
        bias = self.build.weight(f"{name}.bias", np.zeros(SIZE, np.float32))
        return self.build.add("LayerNormalization", [x, scale, bias], {"epsilon": 1e-12})


def bert_folder(
    folder: Path,
    tokenizer: Tokenizer | None = None,
    length: int | str = "sequence",
    masked: bool = True,
    more: int = 0,
) -> Path:
    """bert.onnx with tokenizer.json beside it; its table has `more` rows than that has tokens."""
    tokenizer = tokenizer or wordpiece()
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = tokenizer.get_vocab_size() + more
    return SmallBert(rows, length, masked).save(folder / "bert.onnx")
