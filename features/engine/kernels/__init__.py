"""Compiled arithmetic over one column of bars: elementwise, over windows, with memory."""
