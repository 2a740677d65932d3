"""One closed bar to five predictions, ours and others."""
