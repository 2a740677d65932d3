"""Forecasts fed back as bars: features and trees in one compiled loop."""
