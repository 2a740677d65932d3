"""The parts of a replay: its plan, fits ahead of their turns, records, result, picture."""
