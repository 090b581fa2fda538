"""All families of foreign operators, each of which fills the table when it is imported."""

import allotrope.network.reading.foreign.activations
import allotrope.network.reading.foreign.attention
import allotrope.network.reading.foreign.classical
import allotrope.network.reading.foreign.embedding
import allotrope.network.reading.foreign.grouped
import allotrope.network.reading.foreign.layout
import allotrope.network.reading.foreign.linear
import allotrope.network.reading.foreign.normalization
import allotrope.network.reading.foreign.quantized
import allotrope.network.reading.foreign.quantized_layers
import allotrope.network.reading.foreign.refusals
import allotrope.network.reading.foreign.rotary
import allotrope.network.reading.foreign.shaping
import allotrope.network.reading.foreign.weight_quantized  # noqa: F401 - each fills the table
