"""Options of verbs that train, each of which replaces a field of the recipe."""

from __future__ import annotations

from allotrope.config import AUGMENTATIONS, POLICIES
from allotrope.optimizer_options import OPTIMIZERS
from allotrope.option import ABOVE_0, BELOW_1, BETWEEN_0_1, FROM_0, Option
from allotrope.recipe_choices import ACTIVATIONS, NORMALIZATIONS, SCHEDULES

RECIPE = (
    Option(
        "optimizer",
        f"{', '.join(OPTIMIZERS)}.",
        choices=OPTIMIZERS,
        recipe=True,
    ),
    Option(
        "learning_rate",
        "the highest learning rate of the schedule.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "find_rate",
        "before training, make 100 steps at rising learning rates, take the one at which the loss "
        "falls fastest, and show the curve in the report.",
        recipe=True,
    ),
    Option(
        "momentum",
        "how much of the last steps goes on in the next: the momentum of an optimizer, or its "
        "beta1.",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "beta2",
        "how long an optimizer remembers squares of gradients.",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "epsilon",
        "what an optimizer adds to what it divides by.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "lookahead",
        "every so many steps the weights go back half of the way (Lookahead); 5 is usual.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "accumulate",
        "the gradients of so many batches make one step.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "centralize",
        "take the mean of each filter's gradient out of it (gradient centralization).",
        recipe=True,
    ),
    Option(
        "sam",
        "take gradients so far from the weights where the loss is highest near (SAM), which takes "
        "each step two passes; 0.05 is usual.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option("weight_decay", "strength of the weight decay.", range=FROM_0, recipe=True),
    Option("schedule", f"{', '.join(SCHEDULES)}.", choices=SCHEDULES, recipe=True),
    Option(
        "schedule_power",
        "the power by which the schedule polynomial falls.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option("cycles", "how many cosines cosine-restarts has.", range=ABOVE_0, recipe=True),
    Option(
        "plateau_patience",
        "after so many validations that are not the best the schedule plateau falls.",
        range=FROM_0,
        recipe=True,
    ),
    Option(
        "warmup",
        "the fraction of the training in which the learning rate rises.",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "label_smoothing",
        "the share of each target that is spread over all classes.",
        range=BELOW_1,
        recipe=True,
    ),
    Option("class_weights", "none or balanced.", choices=("none", "balanced"), recipe=True),
    Option(
        "sampling",
        "natural (every example once an epoch) or balanced (every class equally often).",
        choices=("natural", "balanced"),
        recipe=True,
    ),
    Option(
        "loss",
        "the loss of a kind of task, or several with commas between. Of classes: cross-entropy, "
        "focal, logit-adjusted, kl-divergence, hinge, squared-hinge, mean-squared-error, ordinal "
        "(grades), and with an embedding center, triplet, supervised-contrastive. Of flags: "
        "binary-cross-entropy, focal, hinge, squared-hinge. Of quantities: mean-squared-error, "
        "mean-absolute-error, huber, quantile, poisson (counts).",
        recipe=True,
    ),
    Option(
        "quantile",
        "which quantile of a quantity the loss quantile asks for, such as 0.9.",
        range=BETWEEN_0_1,
        recipe=True,
    ),
    Option(
        "task_weights",
        "what each of several tasks counts: fixed (all alike), learned (by its uncertainty), or "
        "numbers, such as side=1,height=0.5.",
        recipe=True,
    ),
    Option(
        "augmentation",
        "none, light, medium, heavy, randaugment, trivialaugment, augmix, distorted, swap-noise or "
        "text-noise; allotrope augment shows what each does.",
        choices=(*AUGMENTATIONS, *POLICIES),
        recipe=True,
    ),
    Option(
        "mixup",
        "the strength of mixing examples; none by default.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option("clip_norm", "the largest norm of the gradient.", range=ABOVE_0, recipe=True),
    Option(
        "average",
        "the decay per step of the moving average of the weights.",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "swa",
        "hold the learning rate in the last quarter, and deliver the mean of the weights of that "
        "if it is the best (stochastic weight averaging).",
        recipe=True,
    ),
    Option(
        "patience",
        "stop after this many validations without improvement.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "l1",
        "the strength of the sum of absolute weights of layers (L1).",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "max_norm",
        "how long the weights of a unit may be together; 3 is usual.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "weight_standardization",
        "compute with filters of mean 0 and deviation 1 (weight standardization), in networks that "
        "are normalized; it goes well with --normalization group.",
        recipe=True,
    ),
    Option(
        "r_drop",
        "see each example twice, and ask both answers to agree, by so much (R-Drop); 1 is usual.",
        range=ABOVE_0,
        recipe=True,
    ),
    Option(
        "spatial_dropout",
        "the share of channels that are dropped in front of convolutions.",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "drop_block",
        "the share of places that are dropped there, in squares of 7 x 7 (DropBlock).",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "drop_connect",
        "the share of the weights of dense layers that are dropped (DropConnect).",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "stochastic_depth",
        "the share of examples for which the last residual branch is left out, and fewer of those "
        "before (stochastic depth).",
        range=BELOW_1,
        recipe=True,
    ),
    Option(
        "activation",
        "that of a network of allotrope.networks, in the place of its own: "
        f"{', '.join(ACTIVATIONS)}.",
        choices=ACTIVATIONS,
        recipe=True,
        of_zoo=True,
    ),
    Option(
        "normalization",
        "that of a network of allotrope.networks, in the place of its own: "
        f"{', '.join(NORMALIZATIONS)}.",
        choices=NORMALIZATIONS,
        recipe=True,
        of_zoo=True,
    ),
    Option(
        "dropout",
        "the share of features that a network of allotrope.networks drops in training.",
        range=BELOW_1,
        recipe=True,
        of_zoo=True,
    ),
)
