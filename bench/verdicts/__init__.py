"""How often verdicts are wrong, and how soon they are right: simulations of both."""
