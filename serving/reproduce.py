"""`tidewheel models reproduce`: fit a version again and say whether it comes out the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from serving import console

WITHIN_TOLERANCE = 3
"""Exit status of a version that comes out equal, but not to the byte."""


def reproduce(
    version: Annotated[
        str, typer.Argument(help="A version or its beginning, or a name load_model takes.")
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Where its candles come from.", show_default="from the settings"),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Fit a version again from its own lineage: the same bytes, or how far apart.

    Exit status: 0 byte-equal, 3 equal within the tolerance of an export, 1 otherwise.
    """
    from ml_pipeline.reproduce import IDENTICAL, WITHIN
    from orchestration.service.reproducing import reproduce_version
    from orchestration.settings import load_settings

    found = reproduce_version(load_settings(home=home, source=source), version)
    if json:
        console.print_json(found)
    else:
        console.show(f"{escape(found['sentence'])} ({found['seconds']:.1f} s)")
    raise typer.Exit({IDENTICAL: 0, WITHIN: WITHIN_TOLERANCE}.get(found["verdict"], 1))
