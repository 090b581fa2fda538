"""Writes a small BERT as ONNX Runtime's optimizer for transformers leaves it, as Optimum has it.

    python benchmarks/optimized_bert.py FOLDER   (needs transformers)

A classifier of Hugging Face's BERT, two layers with random weights, exported with free lengths by
torch's older exporter and optimized for CPUs; its operators of com.microsoft are printed. Then

    allotrope check FOLDER/bert-optimized.onnx
    python benchmarks/convert_real.py pytorch tensorflow keras jax --folders FOLDER --only optimized
"""

from __future__ import annotations

import argparse
import collections
from pathlib import Path

import onnx
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import BertConfig, BertForSequenceClassification

WIDTH, HEADS, LENGTH = 48, 4, 12
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def bert():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
        num_labels=3,
        initializer_range=0.2,
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config).eval()


def exported(network, file):
    free = {0: "batch", 1: "sequence"}
    ids = torch.randint(0, 60, (2, LENGTH))
    mask, kinds = torch.ones_like(ids), torch.zeros_like(ids)
    torch.onnx.export(
        network,
        (ids, mask, kinds),
        str(file),
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes={**dict.fromkeys(INPUTS, free), "logits": {0: "batch"}},
        opset_version=14,
        dynamo=False,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    plain, optimized = folder / "bert-plain.onnx", folder / "bert-optimized.onnx"
    exported(bert(), plain)
    model = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=HEADS,
        hidden_size=WIDTH,
        optimization_options=FusionOptions("bert"),
    )
    model.save_model_to_file(str(optimized))
    nodes = onnx.load(optimized).graph.node
    counts = collections.Counter(node.op_type for node in nodes if node.domain == "com.microsoft")
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing fused")


if __name__ == "__main__":
    main()
