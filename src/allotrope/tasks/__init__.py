"""Tasks: what a network predicts, one file a kind."""

from allotrope.tasks.contract import Task
from allotrope.tasks.metric import Metric

__all__ = ["Metric", "Task"]
