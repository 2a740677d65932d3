"""Ways to blend the lines of a slot, walked along a real ledger."""
