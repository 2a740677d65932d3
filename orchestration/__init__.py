"""DECIDE: settings, records, ranking, drift, lifecycle, prediction ledger and the service façade."""
