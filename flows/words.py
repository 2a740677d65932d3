"""What a step found, in one line for the log and the progress bar."""

from __future__ import annotations

from typing import Any

from orchestration.service.refs import Drifted, Ensembled, Fits, Pooled, Published, Served


def in_words(answer: Any) -> str:
    """Return the sentence of a step's answer."""
    match answer:
        case Fits(versions=versions):
            return ", ".join(f"{fit.recipe} {fit.seconds:.1f} s" for fit in versions)
        case Drifted(row=row):
            return f"{row['status']}: {row['sentence']}"
        case Pooled(rows=rows):
            return ", ".join(f"{row['kind']} {row['status']}" for row in rows)
        case Published(versions=published):
            return f"{len(published)} versions in the registry"
        case Served(predictions=predictions):
            return f"{predictions:,} predictions"
        case Ensembled(rows=rows):
            return f"{sum(bool(row['active']) for row in rows)} in service"
    return str(getattr(answer, "sentence", ""))
