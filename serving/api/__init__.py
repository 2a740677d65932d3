"""The REST API: one FastAPI app over the service; see `serving.api.app.create_app`."""
