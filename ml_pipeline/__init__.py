"""LEARN: targets, splits, losses, verdicts, the five kinds of model, training and validation."""
