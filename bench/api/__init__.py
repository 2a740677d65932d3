"""The REST API under a mixed load."""
