"""What trains: the network in its training form, with the loss and optimizer of a recipe."""

from __future__ import annotations

from dataclasses import replace

from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.data.mixtures import Mixing
from allotrope.frameworks.contract import Arrays, Collective, Framework, Loss, Trainer
from allotrope.inputs.mixture import Mixture
from allotrope.network.network import Network
from allotrope.network.rewriting.blending import with_blending
from allotrope.network.rewriting.dropping import Dropping, with_dropping
from allotrope.network.rewriting.standardizing import with_standardized_filters
from allotrope.tasks.agreeing_halves import agreeing_loss
from allotrope.training.plan import plan_for
from allotrope.training.standardized_trainer import StandardizedTrainer


def trainer_for(
    framework: Framework,
    network: Network,
    data: Data,
    recipe: Recipe,
    settings: Settings,
    loss: Loss | None = None,
    collective: Collective | None = None,
) -> Trainer:
    """A trainer of the network for the batches of `Batches(data, recipe)`.

    It trains the weights of `network` under their names. If the recipe mixes examples that are not
    mixed as they are, such as texts, it trains a form of the network that blends them, which also
    takes how (`unmixed` if not). `loss`: another one than the tasks' own. With a `collective` it
    takes its part of the batches.

    Raises: UsageError if the network cannot blend them, or for what the recipe names and there is
    not.
    """
    plan = plan_for(network, recipe, data.tasks, data.train.columns)
    if loss is not None:
        plan = replace(plan, loss=loss)
    if recipe.r_drop:
        plan = replace(plan, loss=agreeing_loss(plan.loss, data.tasks, recipe.r_drop))
    form = training_form(network, data, recipe)
    trainer = framework.trainer(form, plan, settings, collective)
    if recipe.weight_standardization:
        return StandardizedTrainer(trainer, network)
    return trainer


def training_form(network: Network, data: Data, recipe: Recipe) -> Network:
    """The network as it takes the batches of `Batches(data, recipe)`, and drops what is dropped.

    With standardized filters, if the recipe asks for them. Itself if nothing is mixed or dropped by
    more than single features.

    Raises: UsageError if it cannot blend what they leave to it, or has nothing to drop so.
    """
    blending = with_blending(network, Mixing(data.inputs, recipe).within)
    dropping = with_dropping(blending, dropping_of(recipe))
    if recipe.weight_standardization:
        return with_standardized_filters(dropping)
    return dropping


def dropping_of(recipe: Recipe) -> Dropping:
    """What a recipe drops of a network, beside its own dropout."""
    return Dropping(
        channels=recipe.spatial_dropout or 0.0,
        blocks=recipe.drop_block or 0.0,
        branches=recipe.stochastic_depth or 0.0,
        weights=recipe.drop_connect or 0.0,
    )


def unmixed(data: Data, recipe: Recipe, inputs: Arrays) -> Arrays:
    """Examples by input as a trainer of `trainer_for` takes them, none mixed with another one."""
    if not Mixing(data.inputs, recipe).within:
        return inputs
    count = len(next(iter(inputs.values())))
    return {**inputs, **Mixture.none(count).columns()}
