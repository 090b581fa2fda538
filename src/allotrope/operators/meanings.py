"""Importing this fills the table with every operator."""

import allotrope.operators.attention
import allotrope.operators.control
import allotrope.operators.convolution
import allotrope.operators.detection
import allotrope.operators.elementwise
import allotrope.operators.images
import allotrope.operators.indexing
import allotrope.operators.linear
import allotrope.operators.linear_attention
import allotrope.operators.normalization
import allotrope.operators.pooling
import allotrope.operators.quantized
import allotrope.operators.recurrent
import allotrope.operators.reductions
import allotrope.operators.resize
import allotrope.operators.rounding
import allotrope.operators.sampling
import allotrope.operators.sequences
import allotrope.operators.shaping
import allotrope.operators.signal
import allotrope.operators.text  # noqa: F401
