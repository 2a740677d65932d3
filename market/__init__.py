"""HEAR: candles in, from exchanges, files or a simulated market; checked, repaired and stored."""
