"""How many bars a second a backtest plays: events, columns, other libraries, the seed's table."""
