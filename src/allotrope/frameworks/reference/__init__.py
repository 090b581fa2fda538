"""The reference: NumPy in float64, outputs only. It is the oracle of every framework."""
