"""The words that the fields of a recipe take; what each means stands with its meaning."""

from __future__ import annotations

DECAY_KINDS = ("l2", "decoupled")
SCHEDULES = (
    *("constant", "step", "exponential", "polynomial", "cosine", "cosine-restarts", "one-cycle"),
    *("coslog4", "flat-cosine", "plateau"),
)
ACTIVATIONS = (
    *("relu", "relu6", "leaky-relu", "prelu", "elu", "selu", "celu", "gelu", "gelu-tanh", "silu"),
    *("mish", "softplus", "softsign", "sigmoid", "tanh", "hard-sigmoid", "hard-swish"),
    *("softmax", "log-softmax", "glu", "reglu", "geglu", "swiglu"),
)
NORMALIZATIONS = ("batch", "group", "instance", "layer", "none", "rms")
FEW_LABELS_BY = ("auto", "labels", "self-training", "fixmatch", "freematch", "mean-teacher")
"""Ways to learn if many examples have no label."""
