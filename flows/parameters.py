"""Types of the flows' parameters, checked before a run starts and shown as a form in the UI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

Kind = Literal["direction", "risk", "price", "momentum", "volatility"]

Symbols = list[str] | None
Kinds = list[Kind] | None
Recipes = list[str] | None
Timeframe = str | None
Days = Annotated[float | None, Field(ge=1)]
Source = str | None
Seed = Annotated[int | None, Field(ge=0)]
Now = datetime | None
