"""What fine-tuning is worth: networks that this project did not make are trained further.

On other data, beside the same from scratch.
mobilenet: MobileNet v1 0.25 with Google's ImageNet weights, as an exporter would write it
    -> 12 categories of Caltech-101, new head.
paddle: PaddleOCR's classifier of text direction, a file of Paddle2ONNX
    -> the same pictures, new head.
koshlan: a Keras MLP for handwritten digits, a file of tf2onnx
    -> Fashion-MNIST, same number of classes.

    python benchmarks/fine_tune.py mobilenet paddle koshlan [--data ../shared/data]
        [--framework pytorch] [--budget 60s] [--seed 0]
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", choices=("mobilenet", "paddle", "koshlan"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", default="0")
    return parser.parse_args()


def value(name, shape):
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def padding(kernel, stride):
    """What keeps the size, or halves it as TensorFlow does: one row and column at the end."""
    if kernel.shape[2] == 1:
        return [0] * 4
    if stride == 2:
        return [0, 0, 1, 1]
    return [1] * 4


def kernel_of(weights, name):
    """A kernel [h, w, in, out] of Keras as ONNX's [out, in, h, w]."""
    return weights[f"{name}/kernel"].transpose(3, 2, 0, 1)


def mobilenet(weights, side=SIDE):
    """MobileNet v1 for [1, 3, side, side], as an ONNX model made of raw nodes.

    `weights` are in Keras's names and layouts.
    """
    nodes = []
    arrays = {"low": np.float32(0), "high": np.float32(6)}
    last = "x"

    def convolution(name, kernel, norm, stride=1, group=1):
        nonlocal last
        arrays[f"{name}.weight"] = kernel
        attributes = {
            "strides": [stride] * 2,
            "pads": padding(kernel, stride),
            "group": group,
        }
        inputs = [last, f"{name}.weight"]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}.out"], name, **attributes))
        kinds = ("gamma", "beta", "moving_mean", "moving_variance")
        names = {kind: f"{norm}.{kind}" for kind in kinds}
        arrays.update({names[kind]: weights[f"{norm}/{kind}"] for kind in names})
        inputs = [f"{name}.out", *names.values()]
        nodes.append(
            helper.make_node("BatchNormalization", inputs, [f"{norm}.out"], norm, epsilon=1e-3)
        )
        nodes.append(helper.make_node("Clip", [f"{norm}.out", "low", "high"], [f"{norm}.relu6"]))
        last = f"{norm}.relu6"

    convolution("conv1", kernel_of(weights, "conv1"), "conv1_bn", 2)
    for block, stride in enumerate(STRIDES, 1):
        depthwise = weights[f"conv_dw_{block}/depthwise_kernel"].transpose(2, 3, 0, 1)
        convolution(f"conv_dw_{block}", depthwise, f"conv_dw_{block}_bn", stride, len(depthwise))
        pointwise = kernel_of(weights, f"conv_pw_{block}")
        convolution(f"conv_pw_{block}", pointwise, f"conv_pw_{block}_bn")
    arrays["preds.weight"] = kernel_of(weights, "conv_preds")
    arrays["preds.bias"] = weights["conv_preds/bias"]
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Conv", ["pooled", "preds.weight", "preds.bias"], ["scores"], "preds"),
        helper.make_node("Flatten", ["scores"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    inputs = [value("x", [1, 3, side, side])]
    outputs = [value("probabilities", [1, 1000])]
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()
    ]
    graph = helper.make_graph(nodes, "mobilenet", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def constants(model):
    """The arrays of the graph's Constant nodes, by the name of what they give."""
    return {
        node.output[0]: attribute.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
    }


def normalizing(model):
    """What every input of a BatchNormalization begins with: scales and variances 1, the rest 0."""
    values = {}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            _, scale, shift, mean, variance = node.input
            values |= {scale: 1.0, shift: 0.0, mean: 0.0, variance: 1.0}
    return values


def forgotten(model):
    """The model with nothing of what it had learned.

    Every kernel is drawn anew (He et al. 2015), scales are 1 and everything else 0.
    """
    copy, random = onnx.ModelProto.FromString(model.SerializeToString()), np.random.default_rng(0)
    begins = normalizing(copy)
    named = [(tensor.name, tensor) for tensor in copy.graph.initializer]
    for name, tensor in [*named, *constants(copy).items()]:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim in (2, 4) and array.size > 16:
            fan_in = array[0].size
            if array.ndim == 2:
                fan_in = len(array)
            new = random.standard_normal(array.shape) * np.sqrt(2 / fan_in)
        elif name in begins:
            new = np.full(array.shape, begins[name])
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(new.astype(np.float32), tensor.name))
    return copy


def fitted(file, source, asked, out, *more):
    words = [sys.executable, "-m", "allotrope.cli", "fit", str(source), "--network", str(file)]
    words += ["--framework", asked.framework, "--budget", asked.budget, "--seed", asked.seed]
    words += [*more, "--out", str(out), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def case(name, asked, folder):
    """The model, the data and the options of a case."""
    files = asked.data / "onnx"
    if name == "koshlan":
        raw = ["--mean", "0", "--std", "255"]
        return onnx.load(files / "mnist_koshlan.onnx"), asked.data / "fashion-mnist", raw
    if not (folder / "caltech101-12").is_dir():
        with tarfile.open(asked.data / PICTURES) as archive:
            archive.extractall(folder, filter="data")
    pictures = folder / "caltech101-12"
    more = ["--new-head", "--mean", "127.5", "--std", "127.5"]
    if name == "paddle":
        model = onnx.load(files / "ppocr_mobile_v2_cls.onnx")
        return model, pictures, [*more, "--image-size", "96"]
    return mobilenet(load_file(asked.data / WEIGHTS)), pictures, more


def described(name, framework, start, record):
    """A line about one run."""
    training = record["training"]
    return (
        f"{name:10} {framework:10} {start:12} "
        f"test accuracy {record['test']['accuracy']:.2%}  "
        f"{training['epochs']:.1f} epochs, {training['seconds']:.0f} s, "
        f"{record['images_per_second']:,.0f} images/s"
    )


def main():
    asked = options()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.cases:
            model, source, more = case(name, asked, Path(folder))
            for start, version in (("as it came", model), ("from scratch", forgotten(model))):
                file = Path(folder) / f"{name}.onnx"
                onnx.save(version, file)
                record = fitted(file, source, asked, folder, *more)
                print(described(name, asked.framework, start, record), flush=True)


if __name__ == "__main__":
    main()
