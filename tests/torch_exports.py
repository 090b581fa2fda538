"""The networks of `torch_networks.py` as ONNX files, by both of torch's exporters.

The batch is 1, or another that is baked in, or free.
"""

import hashlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

import torch_networks as networks

EXPORTERS = ("dynamo", "torchscript")
"""torch's default since 2.9, and the one before it."""
_CACHE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "torch-exports"


@dataclass(frozen=True)
class Example:
    """A network, arrays to feed it for a batch, and which lengths are free when the batch is."""

    module: Callable[[], nn.Module]
    inputs: Callable[[int, np.random.Generator], Mapping[str, np.ndarray]]
    free: Mapping[str, Mapping[int, str]]
    outputs: tuple[str, ...] = ("y",)


def _image(n, rng):
    return {"x": rng.standard_normal((n, 3, 32, 32)).astype(np.float32)}


def _sequence(n, rng):
    return {"x": rng.standard_normal((n, 7, 5)).astype(np.float32)}


def _text(n, rng, length=9):
    mask = np.arange(length) < rng.integers(3, length + 1, (n, 1))
    return {"input_ids": rng.integers(0, 30, (n, length)), "attention_mask": mask.astype(np.int64)}


def _next(n, rng, length=3, before=4):
    pasts = {name: rng.standard_normal((n, 2, before, 6)).astype(np.float32) for name in _PASTS}
    return {"input_ids": rng.integers(0, 30, (n, length)), **pasts}


_PASTS = tuple(f"past_{kind}_{i}" for i in (0, 1) for kind in ("key", "value"))
_PRESENTS = tuple(name.replace("past", "present") for name in _PASTS)
_IMAGE = {"x": {0: "n"}}
_TEXT = {"input_ids": {0: "n", 1: "t"}, "attention_mask": {0: "n", 1: "t"}}
_NEXT = {"input_ids": {0: "n", 1: "t"}, **{name: {0: "n", 2: "p"} for name in _PASTS}}

NETWORKS: Mapping[str, Example] = {
    "resnet": Example(networks.ResNet, _image, _IMAGE),
    "mobilenet": Example(networks.MobileNet, _image, _IMAGE),
    "mobilenet-linear": Example(partial(networks.MobileNet, linear=True), _image, _IMAGE),
    "shufflenet": Example(networks.ShuffleNet, _image, _IMAGE),
    "unet": Example(networks.UNet, _image, _IMAGE),
    "convnext": Example(networks.ConvNeXt, _image, _IMAGE),
    "vit": Example(networks.ViT, _image, _IMAGE),
    "swin": Example(networks.Swin, _image, _IMAGE),
    "lstm": Example(partial(networks.Recurrent, nn.LSTM), _sequence, _IMAGE),
    "lstm-two-ways": Example(
        partial(networks.Recurrent, nn.LSTM, num_layers=2, bidirectional=True), _sequence, _IMAGE
    ),
    "gru": Example(partial(networks.Recurrent, nn.GRU), _sequence, _IMAGE),
    "gru-time-first": Example(
        partial(networks.Recurrent, nn.GRU, batch_first=False), _sequence, _IMAGE
    ),
    "bert": Example(networks.Bert, _text, _TEXT),
    "gpt": Example(networks.Gpt, _next, _NEXT, ("logits", *_PRESENTS)),
}
"""By name. `free` names the lengths that are free in an export with a free batch."""


def module(name):
    """The network in PyTorch, to be evaluated, with weights that are none of the usual numbers."""
    torch.manual_seed(0)
    made = NETWORKS[name].module().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for buffer_name, buffer in made.named_buffers():
            if buffer_name.endswith(("running_mean", "running_var")):
                buffer += 0.3 * torch.rand_like(buffer)
    return made


def example(name, n, seed=0):
    """Arrays for `n` examples, by input."""
    return dict(NETWORKS[name].inputs(n, np.random.default_rng(seed)))


def expected(name, inputs):
    """What PyTorch computes, by output."""
    with torch.no_grad():
        outputs = module(name)(*(torch.from_numpy(array) for array in inputs.values()))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {key: array.numpy() for key, array in zip(NETWORKS[name].outputs, outputs, strict=True)}


@cache
def exported(name, exporter="dynamo", batch=1):
    """The network's ONNX file: `batch` is the length that is baked in, or None for a free one.

    With a free batch the other lengths of `Example.free` are free too. An export takes seconds, so
    it is kept in pytest's cache for as long as neither the networks nor torch change.
    """
    file = _CACHE / _fingerprint() / f"{name}-{exporter}-{batch or 'free'}.onnx"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_bytes(_export(name, exporter, batch))
        written.replace(file)
    return file.read_bytes()


@cache
def _fingerprint():
    sources = b"".join(Path(file).read_bytes() for file in (networks.__file__, __file__))
    versions = f"{torch.__version__} {version('onnxscript')} {onnx.__version__}"
    return hashlib.sha256(sources + versions.encode()).hexdigest()[:16]


def _export(name, exporter, batch):
    kind = NETWORKS[name]
    inputs = example(name, batch or 2)
    tensors = tuple(torch.from_numpy(array) for array in inputs.values())
    free = {} if batch else kind.free
    names = {"input_names": list(inputs), "output_names": list(kind.outputs)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            return _by_dynamo(module(name), tensors, free, names)
        file = io.BytesIO()
        torch.onnx.export(
            module(name), tensors, file, dynamo=False, opset_version=17, dynamic_axes=free, **names
        )
        return file.getvalue()


def _by_dynamo(made, tensors, free, names):
    """The exporter tells at length which packages it misses; that is no fault here."""
    shapes = {key: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for key, axes in free.items()}
    logging.disable(logging.WARNING)
    try:
        program = torch.onnx.export(
            made, tensors, dynamo=True, verbose=False, dynamic_shapes=shapes or None, **names
        )
    finally:
        logging.disable(logging.NOTSET)
    return program.model_proto.SerializeToString()
