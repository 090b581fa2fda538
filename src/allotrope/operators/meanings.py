"""Importing this fills the table with every operator."""

import allotrope.operators.convolution
import allotrope.operators.elementwise
import allotrope.operators.indexing
import allotrope.operators.linear
import allotrope.operators.normalization
import allotrope.operators.pooling
import allotrope.operators.reductions
import allotrope.operators.resize
import allotrope.operators.shaping  # noqa: F401
