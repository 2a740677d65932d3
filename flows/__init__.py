"""When things happen: the turn as a Prefect flow, the servers beside it, and their ends."""
