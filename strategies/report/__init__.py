"""The report of a backtest: words, a picture and a self-contained page."""
