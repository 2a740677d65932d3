"""The engine: expressions compiled to a flat program, run over history or one live bar."""
