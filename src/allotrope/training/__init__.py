"""Training: recipes, losses, optimizers, schedules, the loop, checkpoints and the race of settings.

Nothing here knows a framework.
"""
