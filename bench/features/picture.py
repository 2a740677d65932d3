"""A picture for people: how long one bar takes, on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path

from bench.features.batch import Row

PICTURE = Path("docs/pictures/features.png")
_OURS, _OTHERS = "#1f6f8b", "#c9ced6"


def draw(rows: list[Row], file: str | Path) -> None:
    """Write a bar chart of the median time of one bar to `file` (.png or .svg)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    groups = list(dict.fromkeys((row["set"], row["columns"]) for row in rows))
    labels, values, colours, places = [], [], [], []
    place, heads = 0.0, []
    for label, columns in groups:
        heads.append((place, f"{label}: {columns} columns"))
        place += 1
        for row in (r for r in rows if r["set"] == label):
            labels.append(row["what"])
            values.append(row["p50_us"])
            colours.append(_OURS if row["what"].startswith("Tidewheel") else _OTHERS)
            places.append(place)
            place += 1
        place += 0.4
    figure, axes = plt.subplots(figsize=(9, 0.32 * place + 1))
    axes.barh(places, values, color=colours, height=0.75)
    axes.set_xscale("log")
    low = min(values) / 3
    axes.set_xlim(low, max(values) * 4)
    for at, head in heads:
        axes.text(low * 1.05, at, head, fontweight="bold", va="center", fontsize=9)
    for at, value in zip(places, values, strict=True):
        axes.text(value * 1.1, at, _time(value), va="center", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.xaxis.set_major_formatter(lambda us, _: f"{us:g} µs" if us < 1000 else f"{us / 1000:g} ms")
    axes.tick_params(axis="x", labelsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("time of one closed bar, median, one thread (logarithmic)", fontsize=9)
    figure.tight_layout()
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _time(us: float) -> str:
    return f"{us:.1f} µs" if us < 10 else f"{us:.0f} µs" if us < 1000 else f"{us / 1000:.1f} ms"
