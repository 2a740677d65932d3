"""Settings: file, environment and arguments in their order; faults named; secrets kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orchestration.settings import Settings, SettingsError, load_settings, mask_password

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Run in an empty folder and an environment without settings."""
    for name in os.environ:
        if name.startswith("TIDEWHEEL_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_recipes_are_default_unless_named() -> None:
    assert load_settings().recipes == ("default",)
    assert load_settings(recipes="").recipes == ("default",)
    named = load_settings(recipes="logistic, price/ridge,logistic")
    assert named.recipes == ("logistic", "price/ridge")


def test_the_table_is_read_only_when_a_recipe_is_named() -> None:
    """A command that trains nothing loads no learner's library, and without names no table."""
    code = (
        "import sys; from orchestration.settings import load_settings as load; load();"
        "first = 'ml_pipeline.recipe_table' in sys.modules; load(recipes='svm');"
        "print(first, *sorted({'torch', 'xgboost', 'lightgbm', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_defaults_are_absolute_and_below_home(elsewhere: Path) -> None:
    settings = load_settings()
    home = elsewhere.resolve() / "var"
    assert settings.home == home
    assert settings.store_url == f"sqlite:///{home}/tidewheel.db"
    assert settings.tracking_uri == f"sqlite:///{home}/mlflow/mlflow.db"
    assert settings.artifact_root == f"{home}/mlflow/artifacts"
    folders = (settings.candles_dir, settings.models_dir, settings.prefect_dir, settings.work_dir)
    assert [folder.parent for folder in folders] == [home] * 4


def test_arguments_beat_environment_beats_file(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    (elsewhere / "tidewheel.toml").write_text("seed = 1\nworkers = 1\ndays = 9\n")
    monkeypatch.setenv("TIDEWHEEL_SEED", "2")
    monkeypatch.setenv("TIDEWHEEL_WORKERS", "3")
    settings = load_settings(seed=4)
    assert (settings.seed, settings.workers, settings.days) == (4, 3, 9)


def test_an_argument_of_none_is_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_SEED", "2")
    assert load_settings(seed=None).seed == 2


def test_tables_can_be_set_in_part_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    (elsewhere / "tidewheel.toml").write_text("[gates]\nece_max = 0.05\n")
    monkeypatch.setenv("TIDEWHEEL_GATES__Z_PROMOTE", "2.5")
    gates = load_settings().gates
    assert (gates.ece_max, gates.z_promote, gates.z_refresh) == (0.05, 2.5, -1.64)


@pytest.mark.parametrize("text", ["btcusdt, ETH/USDT", '["BTC-USDT", "eth_usdt"]'])
def test_words_are_read_in_their_common_spellings(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TIDEWHEEL_SYMBOLS", text)
    monkeypatch.setenv("TIDEWHEEL_TIMEFRAME", "5min")
    settings = load_settings(kinds="price,risk")
    assert settings.symbols == ("BTC-USDT", "ETH-USDT")
    assert settings.timeframe == "5m"
    assert settings.kinds == ("risk", "price"), "kinds keep the order of the table"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"symbols": "lemon"}, "symbols: 'lemon' is not a trading pair"),
        ({"symbols": []}, "symbols: no symbol given"),
        ({"timeframe": "7m"}, "timeframe: "),
        ({"recipes": "lstm"}, r"recipes: unknown recipes \['lstm'\]; choose default, all, or of"),
        ({"recipes": "network-30d"}, r"recipes: price/network-30d .* needs 37\.2 days .*, not 14"),
        ({"recipes": "risk/xgboost"}, r"risk/ forest, logistic"),
        ({"kinds": "luck"}, r"kinds: unknown kinds \['luck'\]; choose from direction"),
        ({"workers": 0}, "workers: .*greater than or equal to 1, got 0"),
        ({"runner": "farm"}, "runner: .*'threads'.*got 'farm'"),
        ({"gates": {"z_promote": "high"}}, "gates.z_promote: .*got 'high'"),
        ({"gates": {"z": 1}}, "gates.z: no such setting"),
        ({"wheels": 4}, "wheels: no such setting"),
    ],
)
def test_a_fault_names_setting_value_and_remedy(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(**overrides)
    assert "docs/settings.md" in str(caught.value)


def test_a_misspelt_setting_in_the_file_is_refused(elsewhere: Path) -> None:
    (elsewhere / "tidewheel.toml").write_text("sede = 1\n")
    with pytest.raises(SettingsError, match="sede: no such setting"):
        load_settings()


def test_a_file_that_was_named_must_be_there_and_readable(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setenv("TIDEWHEEL_CONFIG", str(elsewhere / "mine.toml"))
    with pytest.raises(SettingsError, match=r"mine\.toml, which is not a file"):
        load_settings()
    (elsewhere / "mine.toml").write_text("seed = = 1")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings()
    (elsewhere / "mine.toml").write_text("seed = 11")
    assert load_settings().seed == 11


def test_a_password_comes_only_from_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    url = "postgresql://tide:hunter2@db/tidewheel"
    (elsewhere / "tidewheel.toml").write_text(f'database_url = "{url}"\n')
    with pytest.raises(SettingsError, match="TIDEWHEEL_DATABASE_URL") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    (elsewhere / "tidewheel.toml").unlink()
    monkeypatch.setenv("TIDEWHEEL_DATABASE_URL", url)
    settings = load_settings()
    assert settings.store_url == url
    assert "hunter2" not in repr(settings) + str(settings.as_dict())
    assert settings.as_dict()["database_url"] == "postgresql://tide:***@db/tidewheel"


def test_masking_leaves_addresses_without_a_password_alone() -> None:
    for url in ("sqlite:////var/a.db", "http://127.0.0.1:5000", "postgresql://tide@db/x"):
        assert mask_password(url) == url
    assert mask_password("postgresql://:p:w@h/d") == "postgresql://:***@h/d"


def test_an_mlflow_server_decides_where_its_artifacts_lie() -> None:
    settings = load_settings(mlflow_tracking_uri="http://127.0.0.1:5000")
    assert settings.artifact_root is None
    asked = load_settings(mlflow_tracking_uri="http://h:1", mlflow_artifacts="s3://tide/x")
    assert asked.artifact_root == "s3://tide/x"


def test_settings_survive_the_way_to_another_process() -> None:
    settings = load_settings(seed=3, symbols="ETHUSDT", gates={"z_promote": 2})
    assert load_settings(**settings.model_dump(mode="json")) == settings
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 4  # type: ignore[misc]


def test_the_example_file_shows_every_setting_with_its_default() -> None:
    shown = tomllib.loads(uncommented(ROOT / "tidewheel.example.toml"))
    defaults = load_settings().model_dump(mode="json")
    optional = {name for name, value in defaults.items() if value is None}
    assert shown.keys() | optional == defaults.keys()
    for name in shown.keys() - optional - {"home"}:
        assert shown[name] == defaults[name], name
    assert shown["home"] == "var"


def test_the_page_describes_every_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    parts = [Settings.model_fields[name].annotation for name in ("gates", "drift", "prediction")]
    names = [*Settings.model_fields, *(n for part in parts for n in part.model_fields)]  # type: ignore[union-attr]
    missing = [name for name in names if not re.search(rf"`\[?{name}\]?`", page)]
    assert missing == []


def uncommented(path: Path) -> str:
    """Return the file with its commented-out settings switched on."""
    lines = path.read_text().splitlines()
    return "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in lines
    )
