"""Forecasters at run time: the bars to come, step by step, from trees, numbers and candles."""
