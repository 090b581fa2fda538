"""The one place that decides which input or task a column becomes, and says why in words."""
