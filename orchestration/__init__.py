"""Decide: records, rankings, drift, lifecycle and the service that a turn is made of."""
