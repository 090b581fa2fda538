"""All families of foreign operators, each of which fills the table when it is imported."""

import allotrope.network.foreign.activations
import allotrope.network.foreign.attention
import allotrope.network.foreign.classical
import allotrope.network.foreign.embedding
import allotrope.network.foreign.grouped
import allotrope.network.foreign.layout
import allotrope.network.foreign.linear
import allotrope.network.foreign.normalization
import allotrope.network.foreign.quantized
import allotrope.network.foreign.quantized_layers
import allotrope.network.foreign.refusals
import allotrope.network.foreign.rotary
import allotrope.network.foreign.shaping
import allotrope.network.foreign.weight_quantized  # noqa: F401 - each fills the table
