"""The catalogue: what is listed, what families answer to, what a definition's hash means."""

# ruff: noqa: SIM905 - a list of names reads better without quotes

from __future__ import annotations

import pytest

from features.catalogue import FEATURES, GROUPS
from features.catalogue.feature import Group
from features.catalogue.lookup import Catalogue
from features.errors import FeatureError, UnknownFeature
from features.inputs import c, h
from features.language import mean
from features.program import FeatureProgram

# Names of the documents that strategies and models ask for.
SEEDS = """
close returns rsi_14 macd_histogram volume_sma_20 atr_14 vwap adx_14 volume ema_20
bb_upper_20 bb_lower_20 stoch_k_14 stoch_d_14 hour day_of_week
""".split()
BASELINES = ["momentum_z_12", "quarter_hour"] + [
    f"log_rv_{n}" for n in (3, 12, 15, 48, 60, 240, 288, 1440, 2016)
]


def test_every_promised_name_is_known() -> None:
    program = FeatureProgram([*SEEDS, *BASELINES])
    assert {program.units[name] for name in BASELINES} == {"–"}
    assert len(FEATURES) >= 200


def test_every_feature_has_a_sentence_and_a_group() -> None:
    assert {feature.group for feature in FEATURES.values()} == {group.name for group in GROUPS}
    for name, feature in FEATURES.items():
        assert name == name.lower(), name
        assert feature.text[0].isupper() or feature.text.startswith(
            ("macd", "ppo", "aroon", "1 ")
        ), name
        assert not feature.text.endswith("."), name


def test_every_column_with_a_unit_names_its_scale_free_twin() -> None:
    families = {family.name(37): family.feature(37) for family in FEATURES.families.values()}
    for name, feature in {**FEATURES, **families}.items():
        if feature.expression.unit.scale_free:
            assert feature.twin == "", name
        else:
            assert FEATURES[feature.twin].expression.unit.scale_free, name


@pytest.mark.parametrize(
    ("raw", "twin"),
    [
        ("close", "return_1"),
        ("sma_20", "close_to_sma_20"),
        ("sma_37", "close_to_sma_37"),
        ("ema_20", "close_to_ema_20"),
        ("macd_histogram", "macd_histogram_pct"),
        ("atr_14", "natr_14"),
        ("vwap", "close_to_vwap"),
        ("momentum_37", "momentum_37_atr"),
        ("bb_upper_20", "bb_percent_20"),
        ("volume_sma_20", "volume_ratio_20"),
    ],
)
def test_twins_are_what_people_expect(raw: str, twin: str) -> None:
    assert FEATURES[raw].twin == twin
    assert not FEATURES[raw].expression.unit.scale_free


def test_a_twin_that_is_missing_or_has_a_unit_is_refused_at_once() -> None:
    for twin in ("nowhere", "level"):
        group = Group("one")
        group.add("level", c, "A")
        group.add("range", h, "A", twin=twin)
        with pytest.raises(FeatureError, match=f"range names {twin} as its scale-free twin"):
            Catalogue([group], aliases={})


def test_a_window_too_short_to_be_computed_is_not_in_the_catalogue() -> None:
    assert "volatility_2" in FEATURES
    assert "volatility_1" not in FEATURES
    assert None not in FEATURES
    with pytest.raises(FeatureError, match="at least 2"):
        FeatureProgram(["volatility_1"])


def test_families_answer_to_any_number_of_bars() -> None:
    assert FEATURES["sma_37"].expression.digest == mean(c, 37).digest
    assert FEATURES["sma_37"].text == "Mean of the last 37 closes"
    assert FEATURES["return_1"].text == "Change of the close over 1 bar"
    assert "sma_37" in FEATURES
    assert "sma_37" not in list(FEATURES)
    assert FEATURES["momentum_37_atr"].text == "Momentum over 37 bars in average true ranges"
    assert FEATURES["momentum_37_atr"].group == "price"
    for name in ("sma_0", "sma_x", "sma_", "sma_1000000", "sma_07", "nonsense_5", "momentum_x_atr"):
        assert name not in FEATURES


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(UnknownFeature, match=r"no feature 'macd_hist'; did you mean macd_hist"):
        FeatureProgram(["macd_hist"])
    with pytest.raises(KeyError):
        FeatureProgram(["qqqqqq"])


def test_the_hash_is_of_the_content_not_of_the_name() -> None:
    program = FeatureProgram(["returns", "return_1", "bb_middle_20", "sma_20", "ema_20"])
    assert program.hashes["returns"] == program.hashes["return_1"]
    assert program.hashes["bb_middle_20"] == program.hashes["sma_20"]
    assert len(set(program.hashes.values())) == 3
    assert (c - h).digest != (h - c).digest
    assert mean(c, 5).digest != mean(c, 6).digest


def test_hashes_are_the_same_in_every_process() -> None:
    """A model stores them: if this fails, stored schemas no longer match the catalogue."""
    assert FeatureProgram(["rsi_14", "close"]).hashes == {
        "rsi_14": "0a10e83bc382ac0b", "close": "7f366c36d05686b8",
    }  # fmt: skip


def test_definitions_can_be_read() -> None:
    assert FEATURES["sma_5"].expression.text == "mean(c,5)"
    assert FEATURES["hl_range_pct"].expression.text == "((h-l)/c)"
    assert FEATURES["return_5"].expression.text == "((c/lag(c,5))-1)"


def test_a_source_may_add_what_it_is_asked_for() -> None:
    catalogue = Catalogue([], aliases={})

    asked: list[str] = []

    def source(name: str) -> None:
        asked.append(name)
        if asked == ["never", "late"]:
            catalogue.add("late", c / h, "Added by the module that the source imported")

    catalogue.sources.append(source)
    assert "never" not in catalogue
    assert catalogue["late"].expression.digest == (c / h).digest


def test_a_name_is_listed_once() -> None:
    group = Group("one")
    group.add("a", c, "A")
    with pytest.raises(FeatureError, match="twice"):
        group.add("a", h, "A")
    other = Group("other")
    other.add("a", h, "A")
    with pytest.raises(FeatureError, match="two groups: a"):
        Catalogue([group, other], aliases={})
    with pytest.raises(FeatureError, match="twice: rsi_14"):
        FeatureProgram(["rsi_14", "rsi_14"])
