"""Faces of the service: the command line now, the API and the dashboard beside it."""
