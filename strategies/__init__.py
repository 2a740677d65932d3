"""ACT: strategies, which turn features and models into signals."""
