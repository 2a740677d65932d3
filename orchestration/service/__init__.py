"""The service façade: one turn as plain steps, and the questions people ask about turns."""
