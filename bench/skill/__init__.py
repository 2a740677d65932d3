"""Walk-forward on real candles: what each kind of model is worth beyond its baseline."""
