"""Sixty seconds of mixed load by two clients on a real server: p50, p99, errors.

``python -m bench.api`` takes two minutes and prints; ``--write`` writes docs/bench_api.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.api.load import PAGES, Load, prepare, run, serving

DOCUMENT = Path(__file__).parents[2] / "docs" / "bench_api.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--clients", type=int, default=2)
    arguments.add_argument("--write", action="store_true", help="write docs/bench_api.md")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        with serving(Path(folder)) as address:
            text = report(run(address, given.seconds, given.clients), given.seconds, given.clients)
    print(text)
    if given.write:
        DOCUMENT.write_text(text)


def report(found: Load, seconds: float, clients: int) -> str:
    """Return the page in Markdown."""
    every = [ms for page in found.ms.values() for ms in page]
    lines = [
        "# The REST API under load\n",
        f"Written by `python -m bench.api --write` on {os.cpu_count()} cores of "
        f"{platform.machine()}, load {os.getloadavg()[0]:.1f} at the end, Python "
        f"{platform.python_version()}, FastAPI {version('fastapi')}, uvicorn {version('uvicorn')}. "
        f"One server process, {clients} clients on the same machine that ask without a pause for "
        f"{seconds:g} s, each page as often as its share says; a forecast is 300 candles of a "
        "simulated market, computed once a bar and answered from memory after that.\n",
        f"**{len(every):,} requests, {len(every) / seconds:,.0f} a second, "
        f"{found.wrong.total()} of them not answered with 200.**\n",
        "| page | share | requests | p50 ms | p99 ms | most ms |",
        "|---|---|---|---|---|---|",
    ]
    total = sum(PAGES.values())
    rows = [(page.partition("?")[0], PAGES[page] / total, found.ms[page]) for page in PAGES]
    for name, share, ms in [*rows, ("all", 1.0, every)]:
        p50, p99 = np.percentile(ms, (50, 99))
        lines.append(
            f"| `{name}` | {share:.0%} | {len(ms):,} | {p50:.2f} | {p99:.1f} | {max(ms):.1f} |"
        )
    lines += [f"\nNot 200: {name}, {count} times" for name, count in found.wrong.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
