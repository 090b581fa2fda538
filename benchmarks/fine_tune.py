"""What fine-tuning is worth: networks that this project did not make are trained further on other data, beside the same from scratch.

mobilenet: MobileNet v1 0.25 with Google's ImageNet weights, as an exporter would write it -> 12 categories of Caltech-101, new head.
paddle: PaddleOCR's classifier of text direction, a file of Paddle2ONNX -> the same pictures, new head.
koshlan: a Keras MLP for handwritten digits, a file of tf2onnx -> Fashion-MNIST, same number of classes.

python benchmarks/fine_tune.py mobilenet paddle koshlan [--data ../shared/data] [--framework pytorch] [--budget 60s]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

WEIGHTS = "weights/mobilenet_v1_0.25_224.safetensors"
PICTURES = "images/caltech101-12.tar"
SIDE = 160
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the 13 depthwise convolutions of MobileNet v1 (Howard et al. 2017, table 1)."""


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=("mobilenet", "paddle", "koshlan"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", default="0")
    return parser.parse_args()


def mobilenet(weights):
    """MobileNet v1 for [1, 3, 160, 160], as an ONNX model made of raw nodes; `weights` in Keras's names and layouts."""
    nodes, arrays, at = [], {"low": np.float32(0), "high": np.float32(6)}, "x"

    def convolution(name, kernel, norm, stride=1, group=1):
        nonlocal at
        arrays[f"{name}.weight"] = kernel
        pads = [0] * 4 if kernel.shape[2] == 1 else [0, 0, 1, 1] if stride == 2 else [1] * 4
        nodes.append(helper.make_node("Conv", [at, f"{name}.weight"], [f"{name}.out"], name, strides=[stride] * 2, pads=pads, group=group))
        names = {kind: f"{norm}.{kind}" for kind in ("gamma", "beta", "moving_mean", "moving_variance")}
        arrays.update({names[kind]: weights[f"{norm}/{kind}"] for kind in names})
        nodes.append(helper.make_node("BatchNormalization", [f"{name}.out", *names.values()], [f"{norm}.out"], norm, epsilon=1e-3))
        nodes.append(helper.make_node("Clip", [f"{norm}.out", "low", "high"], [f"{norm}.relu6"]))
        at = f"{norm}.relu6"

    convolution("conv1", weights["conv1/kernel"].transpose(3, 2, 0, 1), "conv1_bn", 2)
    for block, stride in enumerate(STRIDES, 1):
        depthwise = weights[f"conv_dw_{block}/depthwise_kernel"].transpose(2, 3, 0, 1)
        convolution(f"conv_dw_{block}", depthwise, f"conv_dw_{block}_bn", stride, len(depthwise))
        convolution(f"conv_pw_{block}", weights[f"conv_pw_{block}/kernel"].transpose(3, 2, 0, 1), f"conv_pw_{block}_bn")
    arrays |= {"preds.weight": weights["conv_preds/kernel"].transpose(3, 2, 0, 1), "preds.bias": weights["conv_preds/bias"]}
    nodes += [
        helper.make_node("GlobalAveragePool", [at], ["pooled"]),
        helper.make_node("Conv", ["pooled", "preds.weight", "preds.bias"], ["scores"], "preds"),
        helper.make_node("Flatten", ["scores"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    ends = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", [1, 3, SIDE, SIDE]), ("probabilities", [1, 1000]))]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "mobilenet", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def forgotten(model):
    """The model with every kernel drawn anew (He et al. 2015), scales of 1 and everything else 0: nothing of what it had learned."""
    copy, random = onnx.ModelProto.FromString(model.SerializeToString()), np.random.default_rng(0)
    holders = [*copy.graph.initializer, *(a.t for node in copy.graph.node if node.op_type == "Constant" for a in node.attribute)]
    scales = {name: 1.0 for n in copy.graph.node if n.op_type == "BatchNormalization" for name in (n.input[1], n.input[4])}
    zeros = {name: 0.0 for n in copy.graph.node if n.op_type == "BatchNormalization" for name in (n.input[2], n.input[3])}
    made = {n.output[0]: a.t for n in copy.graph.node if n.op_type == "Constant" for a in n.attribute}
    for tensor in holders:
        name = next((output for output, held in made.items() if held is tensor or held == tensor), tensor.name)
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim in (2, 4) and array.size > 16:
            fan_in = array.shape[0] if array.ndim == 2 else array[0].size
            new = random.standard_normal(array.shape) * np.sqrt(2 / fan_in)
        elif name in scales or name in zeros:
            new = np.full(array.shape, scales.get(name, 0.0))
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(new.astype(np.float32), tensor.name))
    return copy


def fitted(file, source, asked, out, *more):
    command = ["fit", str(source), "--network", str(file), "--framework", asked.framework, "--budget", asked.budget, "--seed", asked.seed]
    words = [sys.executable, "-m", "allotrope.cli", *command, *more, "--out", str(out), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def case(name, asked, folder):
    """The model, the data and the options of a case."""
    if name == "koshlan":
        return onnx.load(asked.data / "onnx/mnist_koshlan.onnx"), asked.data / "fashion-mnist", ["--mean", "0", "--std", "255"]
    if not (folder / "caltech101-12").is_dir():
        with tarfile.open(asked.data / PICTURES) as archive:
            archive.extractall(folder, filter="data")
    pictures = folder / "caltech101-12"
    if name == "paddle":
        more = ["--new-head", "--mean", "127.5", "--std", "127.5", "--image-size", "96"]
        return onnx.load(asked.data / "onnx/ppocr_mobile_v2_cls.onnx"), pictures, more
    return mobilenet(load_file(asked.data / WEIGHTS)), pictures, ["--new-head", "--mean", "127.5", "--std", "127.5"]


def main():
    asked = options()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.cases:
            model, source, more = case(name, asked, Path(folder))
            for start, version in (("as it came", model), ("from scratch", forgotten(model))):
                file = Path(folder) / f"{name}.onnx"
                onnx.save(version, file)
                record = fitted(file, source, asked, folder, *more)
                training = record["training"]
                print(
                    f"{name:10} {asked.framework:10} {start:12} test accuracy {record['test']['accuracy']:.2%}  "
                    f"{training['epochs']:.1f} epochs, {training['seconds']:.0f} s, {record['images_per_second']:,.0f} images/s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
