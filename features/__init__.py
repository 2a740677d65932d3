"""SEE: named features from one declarative catalogue; one engine for history and the live bar."""
