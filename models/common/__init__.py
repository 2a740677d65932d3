"""The run-time core shared by every kind of model."""
