"""How a gradient changes a weight, written once over the primitives `p` of any framework.

A family a file; optimizer_table.py has all of them by name. Weight decay: `l2` adds decay * weight
to the gradient; `decoupled` multiplies the weight by 1 - learning rate * decay before the update.
"""

from allotrope.training.optimizers.rule import OptimizerRule, optimizer_of

__all__ = ["OptimizerRule", "optimizer_of"]
