"""The judge: what the ledger says of every line of versions in a slot, from its rows alone."""
