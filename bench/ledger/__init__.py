"""The ledger beside other ways of writing and reading the same rows."""
