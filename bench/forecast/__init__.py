"""Forecasts: how long 300 steps take, how long training takes, and what they are worth."""
