"""The life of a version: gates, decision, promotion through MLflow, and the folder that follows."""
