"""The parts of a strategy's backtest: which class, which candles, which models, how often tried."""
