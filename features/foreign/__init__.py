"""Features that are functions of candles: pandas-ta's indicators and the user's own code."""
