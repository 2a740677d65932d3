"""The model card: what a version is, saw and reached beside its baseline, and how to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_pipeline.novelty import FLAGGED
from ml_pipeline.scoring import NOVEL_SHARE
from models.common.bundle_checks import FIGURES

_TOLD = (*FIGURES, NOVEL_SHARE)
_CAVEATS = {
    "direction": "The edge is smaller than what a trade costs: do not trade on it alone.",
    "momentum": "Most of the accuracy is arithmetic: a move that is large for its volatility tends "
    "to shrink by construction, and the baseline knows that. Only the skill counts.",
    "price": "On levels any forecast near the last price looks perfect. Only the skill on returns "
    "counts.",
}


_CAPTIONS = {
    "validation.png": "Left: forecasts against what came, on rows it has not seen. Right: loss "
    "saved against the baseline, summed over time; a sound model rises.",
    "importance.png": "The columns that the learner looks at most.",
}


def model_card(
    about: Mapping[str, Any], metrics: Mapping[str, Any], pictures: Sequence[str] = ()
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    about
        The bundle's metadata.
    metrics
        Figures of its verdict on rows it has not seen; may be empty.
    pictures
        Names of the picture files beside the card.
    """
    sections = [
        _title(about),
        _made(about),
        _verdict(about, metrics),
        _novelty(metrics),
        _CAVEATS.get(about["kind"], ""),
        *(f"![{_CAPTIONS.get(name, name)}]({name})" for name in pictures),
        _figures(metrics),
        _origin(about),
        _usage(about),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _title(about: Mapping[str, Any]) -> str:
    simulated = " **The market is simulated.**" if about["simulated"] else ""
    return (
        f"# {about['version_name']}\n\n{about['description']} Kind `{about['kind']}`, scope "
        f"`{about['scope']}`, {about['timeframe']} bars, made by `{about['recipe']}`.{simulated}"
    )


def _made(about: Mapping[str, Any]) -> str:
    window, training = about["window"], about["training"]
    return (
        f"* Fitted on {training['data_points']:,} rows of {', '.join(training['symbols'])} from "
        f"{about['source']}, {window['train']['start']} to {window['train']['end']}.\n"
        f"* Calibrated on {window['calibration']['start']} to {window['selection']['end']}; "
        f"no label after {about['trained_through']} was used.\n"
        f"* Its baseline: {about['fit']['baseline_is']}.\n"
        f"* The exported graph equals the fitted model within {about['parity_max_abs']:.1e}."
        f"{_members(about)}{_chosen(about['fit'])}"
    )


def _members(about: Mapping[str, Any]) -> str:
    """Say what an ensemble is made of, and that it needs none of it any more."""
    if "members" not in about:
        return ""
    listed = ", ".join(f"`{one['version']}` {_weight(one['weight'])}" for one in about["members"])
    return (
        f"\n* An ensemble by `{about['method']}` of {listed}: their graphs are copied into this "
        "one, so that none can be missing."
    )


def _weight(weight: float | Sequence[float]) -> str:
    parts = [weight] if isinstance(weight, (int, float)) else weight
    return "/".join(f"{part:.3g}" for part in parts)


def _chosen(facts: Mapping[str, Any]) -> str:
    """Say which columns and hyper-parameters were chosen, where any were."""
    told = ""
    if columns := facts.get("column_choice"):
        told += (
            f"\n* Columns: the {columns['kept']} best of {columns['of']}, by permutation "
            f"importance over {columns['folds']} time folds of the training slice."
        )
    if why := facts.get("not_tuned"):
        told += f"\n* Hyper-parameters were not searched: {why}."
    if search := facts.get("tuning"):
        word = "were replaced" if search["taken"] else "were kept: no other beat them by enough"
        told += (
            f"\n* Hyper-parameters: {search['trials']} tried on the selection slice in "
            f"{search['seconds']:.0f} s; the recipe's own {word} "
            f"(z {search['best_z']:.2f}, {search['z_asked']:.2f} is asked)."
        )
    return told


def _verdict(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Say how it did beside its baseline, with interval and sample size, in words."""
    if any(metrics.get(name) is None for name in FIGURES):
        return ""
    loss = f"loss {metrics['loss']:.6g} on {metrics['n']:,.0f} rows it has not seen"
    if about["baseline"]:
        return f"## Verdict\n\nThis is the baseline that others must beat: {loss}."
    word = "Better than" if metrics["lower"] > 0 else "Not proven better than"
    return (
        f"## Verdict\n\n{word} its baseline: {loss} (worth {metrics['effective_n']:,.0f} "
        f"independent times) against {metrics['base_loss']:.6g}; skill {metrics['skill']:+.2%}, "
        f"95 % interval {metrics['lower']:+.2%} to {metrics['upper']:+.2%}, z {metrics['z']:.2f}."
    )


def _novelty(metrics: Mapping[str, Any]) -> str:
    """Say how much of what it was judged on was unlike what it was trained on."""
    share = metrics.get(NOVEL_SHARE)
    if share is None:
        return ""
    return (
        f"{100 * share:.1f} % of {metrics['n']:,.0f} unseen rows lay outside of what it knows, "
        f"{100 * FLAGGED:g} % is usual."
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = {name: value for name, value in metrics.items() if _is_number(value)}
    shown = [f"| {name} | {value:.6g} |" for name, value in rows.items() if name not in _TOLD]
    rate = rows.get("base_rate", rows.get("event_rate"))
    if rate is not None and "accuracy" in rows:
        constant = max(rate, 1 - rate)
        shown.append(f"| accuracy of always giving the commoner answer | {constant:.6g} |")
    return _table(shown)


def _table(rows: Sequence[str]) -> str:
    if not rows:
        return ""
    return "\n".join(["| other figures on the same rows | |", "|---|---|", *rows])


def _origin(about: Mapping[str, Any]) -> str:
    """Say what it takes to make this model again, to the byte."""
    if "recipe_hash" not in about:
        return ""
    versions = ", ".join(f"{name} {v}" for name, v in about["library_versions"].items())
    name = f"{about['scope']}/{about['kind']}/{about['version_name']}"
    return (
        f"## Lineage\n\n* Data `{about['data_hash']}`, recipe `{about['recipe_hash']}`, "
        f"seed {about['seed']}; {about['purge_bars']} bars purged between slices.\n"
        f"* Fitted in {about['training_seconds']:g} s with {versions}.\n"
        f"* Made again and compared: `tidewheel models reproduce {name}`."
    )


def _usage(about: Mapping[str, Any]) -> str:
    name = f"{about['scope']}/{about['kind']}/{about['version_name']}"
    return (
        "```python\nfrom models.common.predictor import load_model\n\n"
        f'model = load_model("{name}")\nmodel.predict(frame[list(model.features)])\n```'
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
