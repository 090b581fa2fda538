"""Importing this fills the table with every operator."""

import allotrope.operators.convolution
import allotrope.operators.elementwise
import allotrope.operators.linear
import allotrope.operators.normalization
import allotrope.operators.shaping  # noqa: F401
