"""The feature engine beside other libraries: batch, live bar, start-up, memory."""
