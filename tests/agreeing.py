"""A network with two inputs, two outputs and every kind of weight, for the tests of `check`.

And a framework's true answers about it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from allotrope.measure.agreement.check_plan import Options
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.framework_worker import AgreementWorker
from allotrope.measure.agreement.judge import Tolerance
from allotrope.measure.agreement.proving import preparation, with_slopes
from allotrope.measure.agreement.recording import Recording
from allotrope.measure.agreement.step_files import StepFiles
from allotrope.network.build import Builder
from allotrope.process.carried_arrays import read_arrays

TOLERANCES = {
    "float64": Tolerance(1e-10, 1e-9, 1e-5, 1e-10, 1e-8, 1e-7),
    "float32": Tolerance(1e-5, 1e-4, 1e-2, 1e-5, None, None),
}
STEPS = 6


def network(momentum=0.8, tied=True, drops=True):
    """x [n, 3, 6, 6] and label [n] to logits [n, 4] and their squares.

    By convolution, BatchNorm, dropout, embedding and a shared weight.
    """
    rng, b = np.random.default_rng(3), Builder("agreeing")

    def weight(label, *shape):
        return b.weight(label, (rng.standard_normal(shape) * 0.5).astype(np.float32))

    x, label = b.input("x", "float32", ("n", 3, 6, 6)), b.input("label", "int64", ("n",))
    y = b.add(
        "Conv",
        [x, weight("conv.weight", 8, 3, 3, 3)],
        {"strides": (2, 2), "pads": (1, 1, 1, 1)},
        name="conv",
    )
    state = [
        b.weight(f"bn.{n}", np.full(8, v, np.float32), trainable=False)
        for n, v in (("running_mean", 0.5), ("running_var", 2.0))
    ]
    options = {"momentum": momentum, "epsilon": 1e-3}
    y = b.add(
        "BatchNormalization",
        [y, weight("bn.weight", 8), weight("bn.bias", 8), *state],
        options,
        name="bn",
    )
    y = b.add("Tanh", [y], name="tanh")
    if drops:
        y = b.add("Dropout", [y, b.constant(np.float32(0.25))], name="dropout")
    y = b.add("ReduceMean", [y, b.constant(np.array([2, 3]))], {"keepdims": 0}, name="pooled")
    y = b.add(
        "Add",
        [y, b.add("Gather", [weight("embedding", 5, 8), label], name="embedded")],
        name="joined",
    )
    shared = weight("shared", 8, 8)
    again = (
        shared if tied else b.weight("shared.copy", next(iter(b._weights[n] for n in ("shared",))))
    )
    y = b.add(
        "MatMul",
        [b.add("Tanh", [b.add("MatMul", [y, shared], name="first")], name="bent"), again],
        name="second",
    )
    y = b.add(
        "Gemm", [y, weight("fc.weight", 4, 8), weight("fc.bias", 4)], {"transB": 1}, name="head"
    )
    b.output(y, "logits")
    b.output(b.add("Mul", ["logits", "logits"], name="squared"), "squares")
    return b.network()


def computation_of(made, folder, precision="float64"):
    """The computation of a network, as far as it is known before the reference has run."""
    file = folder / f"{made.graph.name}.onnx"
    made.save(file)
    return Computation(str(file), precision, 4, {"n": 4}, 0, 0.05)


OPTIONS = Options(
    steps=STEPS,
    batch=4,
    lengths={"n": 4},
    free=(),
    values={},
    seed=0,
    learning_rate=0.05,
    directions=32,
    parting=1e-3,
    threads=1,
)


def quiet(line):
    """Says nothing."""


def expectations(made, folder, tolerances=TOLERANCES):
    """What the reference expects, slopes and a batch of 1 included."""
    file = computation_of(made, folder).file
    prepared, hidden = preparation(Path(file), tolerances, OPTIONS, quiet)
    return with_slopes([], prepared, hidden, OPTIONS, quiet)[0]


def answers(framework, computation, folder, shift=0):
    """What a framework records of a computation, in this process.

    `shift` moves the number of the training step: another stream of dropout.
    """
    folder.mkdir(parents=True)
    worker = AgreementWorker()
    version = worker.begin(framework, asdict(computation))["version"]
    for part, arguments in (("outputs", {"training": False}), ("training", {"training": True})):
        assert worker.outputs(**arguments, output=str(folder / f"{part}.npz")) == {}
    assert worker.gradients(str(folder / "gradients.npz")) == {}
    if shift:
        computation.__dict__["batch_of"] = lambda step: Computation.batch_of(
            computation, step - shift
        )
        worker._computation = computation
    steps = list(range(1 + shift, STEPS + 1 + shift))
    losses = worker.train(steps[0], steps[-1], steps, str(folder))["losses"]
    weights = {step - shift: arrays for step, arrays in StepFiles(folder, tuple(steps)).items()}
    outputs, training, gradients = (
        read_arrays(folder / f"{part}.npz") for part in ("outputs", "training", "gradients")
    )
    return Recording(
        framework, computation.precision, version, outputs, training, gradients, losses, weights
    )


def copied(recording, **changes):
    """A recording with copies of its arrays, which may be spoiled."""
    return replace(
        recording,
        outputs={name: array.copy() for name, array in recording.outputs.items()},
        training_outputs={name: array.copy() for name, array in recording.training_outputs.items()},
        gradients={name: array.copy() for name, array in recording.gradients.items()},
        losses=list(recording.losses),
        weights={
            step: {name: array.copy() for name, array in arrays.items()}
            for step, arrays in recording.weights.items()
        },
        **changes,
    )
