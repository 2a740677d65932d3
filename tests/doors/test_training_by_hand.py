"""`tidewheel train` and `tidewheel live`: trained apart, checked, packed, deployed, taken back."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from market.timeframes import instant_ms
from ml_pipeline.errors import RecipeError, SplitError
from models.common.errors import ModelNotFound
from models.common.predictor import load_model
from models.common.slot import Slot
from orchestration.lifecycle import SafeModelTrainer
from orchestration.lifecycle.backups import list_backups
from orchestration.lifecycle.errors import NotStaged, PackageRefused, Unproven
from orchestration.lifecycle.packaging import read_package
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.rivalry import against_champion
from orchestration.lifecycle.training import Order, recipe_for, train_by_hand, windows
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.settings import Settings
from tests.doors.desk import Desk, answer, call

SLOT = Slot("BTC-USDT", "direction", "1m")
ROOT = Path(__file__).parents[2]
END = "2025-05-21T00:00:00Z"
OLDER, NEWER = "2025-05-21T0000Z_1m_logistic-hand", "2025-05-22T0000Z_1m_logistic-hand"
LEARNABLE = "simulated:seed=7,signal=4"
Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which two versions were trained on a market that can be learnt, and packed."""
    home = tmp_path_factory.mktemp("packed") / "home"
    settings = Settings(home=home, source=LEARNABLE)
    trainer = SafeModelTrainer(settings)
    for end in (END, "2025-05-22T00:00:00Z"):
        asked: dict[str, str] = {"kind": "direction", "recipe": "logistic", "end": end}
        trainer.package(trainer.train("BTCUSDT", 11, **asked))  # type: ignore[arg-type]
    assert not settings.models_dir.exists(), "training for live touches nothing that serves"
    assert not settings.mlflow_dir.exists()
    Places.open(settings)  # making databases costs seconds: once for all tests
    return home


@pytest.fixture
def home(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which the environment names."""
    copy = tmp_path / "home"
    shutil.copytree(packed, copy, symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEWHEEL_HOME", str(copy))
    monkeypatch.setenv("TIDEWHEEL_SOURCE", LEARNABLE)
    # Eleven days of so strong a signal are not the same market twice: looser than by default.
    monkeypatch.setenv("TIDEWHEEL_GATES__ECE_MAX", "0.2")
    monkeypatch.setenv("COLUMNS", "100")
    return copy


@pytest.fixture
def live(home: Path) -> Desk:
    return Desk(Settings(home=home), SLOT)


# ------------------------------------------------------------------ tidewheel train


def test_a_version_trained_by_hand_is_registered_and_serves_only_when_told(
    desk: Desk, capsys: Capsys
) -> None:
    before = desk.champion()
    asked = ("train", "model", "BTCUSDT,ETHUSDT", "--timeframe", "1m", "--type", "xgboost",
             "--start-date", "2025-05-12", "--end-date", "2025-05-20")  # fmt: skip
    found = answer(capsys, *asked)
    assert found["version"] == "2025-05-20T0000Z_1m_xgboost-hand"
    assert found["simulated"] is True
    figures = found["figures"]
    assert figures["lower"] <= figures["skill"] <= figures["upper"]
    assert figures["n"] > 1000
    assert desk.champion() == before
    assert store_of(desk.settings).get_model(found["key"]).status == "candidate"
    (tagged,) = [
        v for v in tracking_of(desk.settings).versions(desk.slot) if v.version == found["version"]
    ]
    assert tagged.tags["trained"] == "by_hand"
    # The alias moves to it like to any other.
    promote = ("models", "promote", "BTCUSDT", "direction", found["version"], "--force")
    assert call(*promote) == 0
    assert desk.champion() == found["version"]
    again = answer(capsys, *asked)
    assert again["version"] == "2025-05-20T0000Z_1m_xgboost-hand-2", "versions never change"


def test_what_is_trained_and_not_proven_is_kept_and_not_promoted(
    desk: Desk, capsys: Capsys
) -> None:
    before = desk.champion()
    asked = ("train", "model", "BTCUSDT", "--kind", "direction", "--lookback-bars", "2000",
             "--source", "simulated:random-walk,seed=1", "--end-date", "2025-05-20")  # fmt: skip
    status = call(*asked, "--promote")
    captured = capsys.readouterr()
    assert status == 1
    assert "not proven to beat its baseline" in captured.out
    assert "SIMULATED" in captured.out
    assert "--force" in captured.err
    assert desk.champion() == before
    # Its slot had no baseline: the one it was judged beside is there to fall back on.
    own = Desk(desk.settings, SLOT)
    assert call("models", "promote", "BTC-USDT", "direction", "2025-05-20", "--force") == 0
    assert own.champion() == "2025-05-20T0000Z_1m_xgboost-hand"
    assert call("models", "rollback", "BTC-USDT", "direction") == 0
    assert own.champion() == "2025-05-20T0000Z_1m_baseline-hand"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kind", "mood"), "no model of type"),
        (("--recipe", "magic"), "has no recipe 'magic'"),
        (("--start-date", "2025-05-19", "--end-date", "2025-05-20"), "start earlier"),
        (("--kind", "direction", "--epochs", "3"), "only price/network"),
        (("--start-date", "2025-05-01", "--lookback-bars", "9"), "give one"),
        (("--end-date", "soon"), "is not a time"),
    ],
)
def test_a_bad_order_is_one_sentence(
    settings: Settings, capsys: Capsys, arguments: tuple[str, ...], said: str
) -> None:
    assert call("train", "model", "BTCUSDT", *arguments) in (1, 2)
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_the_judged_part_grows_with_a_long_history_of_long_bars() -> None:
    def order(start: str | None, timeframe: str = "1h") -> Order:
        end, begin = instant_ms("2024-12-01T00:00:00Z"), start and instant_ms(f"{start}T00:00:00Z")
        return Order("price", ("BTC-USDT",), timeframe, end, begin or None)

    long = order("2023-01-01")
    bars, slices = windows(long, recipe_for(long))
    assert bars / 24 + sum(slices) == pytest.approx(700, abs=1)
    assert slices == pytest.approx((56, 84, 56), rel=0.02)
    minutes = order(None, "1m")
    assert windows(minutes, recipe_for(minutes)) == (10080, (2, 3, 2))
    with pytest.raises(SplitError, match="start earlier"):
        windows(order("2024-11-25"), recipe_for(long))
    with pytest.raises(RecipeError, match="not trained in epochs"):
        recipe_for(Order("risk", ("BTC-USDT",), "1m", 0, changes={"epochs": 3}))


# ------------------------------------------------------------------ tidewheel live


def test_a_prepared_model_is_checked_in_every_respect(live: Desk) -> None:
    trainer = SafeModelTrainer(live.settings)
    report = trainer.validate(NEWER)
    assert trainer.validate() == report, "the last one by default"
    assert report["ok"] is True, report["checks"]
    assert {check["name"] for check in report["checks"]} == {
        "bundle", "features", "parity", "skill", "calibration", "champion",
    }  # fmt: skip
    assert report["simulated"] is True
    assert report["champion"]["sentence"] == f"nothing serves {SLOT} yet"


def test_it_is_compared_with_what_serves_on_the_same_unseen_bars(
    live: Desk, capsys: Capsys
) -> None:
    assert call("live", "deploy", OLDER) == 0
    trainer = SafeModelTrainer(live.settings)
    newer, about = trainer.validate(NEWER)["champion"], trainer.staging.bundle(NEWER).metadata
    assert newer["champion"] == OLDER
    assert instant_ms(newer["since"]) >= instant_ms(about["trained_through"])
    assert instant_ms(newer["until"]) < instant_ms("2025-05-22T00:00:00Z")
    assert newer["n"] > 1000
    assert newer["lower"] <= newer["skill"] <= newer["upper"]
    capsys.readouterr()
    assert call("live", "deploy", NEWER) == 0
    told = f"against the champion {OLDER}: z {newer['z']:+.2f} on {newer['n']:,.0f} bars that"
    assert told in " ".join(capsys.readouterr().out.split())
    # The other way round, on the same bars, it is the other's loss that is saved.
    back = trainer.validate(OLDER)["champion"]
    assert (back["z"], back["n"]) == (pytest.approx(-newer["z"]), newer["n"])


def test_what_is_provably_worse_than_what_serves_is_refused_without_force(
    live: Desk, capsys: Capsys
) -> None:
    assert call("live", "deploy", NEWER) == 0
    trainer = SafeModelTrainer(live.settings)
    end = instant_ms("2025-05-22T00:00:00Z")
    order = Order(
        "direction", ("BTC-USDT",), "1m", end, lookback_bars=2000, recipe="xgboost",
        changes={"n_estimators": 1},
    )  # fmt: skip
    poor, _ = train_by_hand(live.settings, order, live.settings.staging_dir, with_baseline=True)
    package = trainer.package(poor.version_id)
    report = read_package(package).report
    (check,) = [check for check in report["checks"] if check["name"] == "champion"]
    assert report["champion"]["z"] <= -1.64
    assert check == {
        "name": "champion", "ok": False, "sentence": report["champion"]["sentence"]
    }  # fmt: skip
    assert call("live", "deploy", str(package)) == 1
    assert "provably worse" in " ".join(capsys.readouterr().err.split())
    assert live.champion() == NEWER
    asked = ("train", "model", "BTCUSDT", "--kind", "direction", "--recipe", "xgboost",
             "--lookback-bars", "2000", "--end-date", "2025-05-22", "--promote")  # fmt: skip
    assert call(*asked) == 1
    captured = capsys.readouterr()
    assert f"against the champion {NEWER}: z -" in " ".join(captured.out.split())
    assert live.champion() == NEWER
    assert call("live", "deploy", str(package), "--force") == 0
    assert live.champion() == poor.version_id


def test_too_few_common_bars_and_another_market_are_said_and_stop_nothing(live: Desk) -> None:
    assert call("live", "deploy", OLDER) == 0
    trainer = SafeModelTrainer(live.settings)
    bundle = trainer.staging.bundle(NEWER)
    late = replace(bundle, metadata={**bundle.metadata, "trained_through": "2025-05-21T23:30:00Z"})
    found = against_champion(late, live.settings, trainer.live)
    assert found["sentence"].startswith(f"too few bars that neither it nor {OLDER} has seen: ")
    elsewhere = Settings(home=live.settings.home, source="simulated:seed=8")
    assert "this home reads" in against_champion(bundle, elsewhere, trainer.live)["sentence"]
    assert found["worse"] is False


def test_deployed_backed_up_and_taken_back(live: Desk, home: Path, capsys: Capsys) -> None:
    first = answer(capsys, "live", "deploy", OLDER, "--reason", "the first")
    assert (first["moved"]["champion"], first["backup"]) == (OLDER, None)
    assert live.champion() == OLDER
    last = answer(capsys, "live", "deploy")
    assert last["moved"]["champion"] == NEWER, "the last one packed"
    assert live.champion() == NEWER
    (backup,) = list_backups(live.settings.backups_dir)
    assert (backup["version"], backup["folder"]) == (OLDER, last["backup"])
    assert load_model("BTC-USDT/direction").info["version_name"] == NEWER

    # The way back works when the folder of the one before is gone: from its backup.
    shutil.rmtree(registry_of(live.settings).folder(SLOT, OLDER))
    back = answer(capsys, "live", "rollback", "--reason", "loses money")
    assert back["moved"]["champion"] == OLDER
    assert live.champion() == OLDER
    assert answer(capsys, "models", "validate")["ok"] is True


def test_the_way_back_is_where_the_last_deployment_was_even_if_it_was_the_first_there(
    live: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("live", "rollback") == 1
    assert "nothing was deployed yet" in capsys.readouterr().err
    assert call("live", "deploy", OLDER) == 0
    assert call("live", "deploy", NEWER) == 0
    trainer = SafeModelTrainer(live.settings)
    other = trainer.train("ETHUSDT", 11, kind="direction", recipe="logistic", end=END)
    monkeypatch.setenv("TIDEWHEEL_CLOSE_POSITIONS_HOOK", "false")
    package = str(trainer.package(other))
    assert call("live", "deploy", package, "--force", "--close-positions") == 1
    assert answer(capsys, "live", "rollback")["moved"]["slot"] == SLOT.key, "that one never served"
    assert call("live", "deploy", package, "--force") == 0
    back = answer(capsys, "live", "rollback")["moved"]
    assert back["slot"] == "ETH-USDT/direction/1m"
    assert "_baseline-hand" in back["champion"]
    assert live.champion() == OLDER


@pytest.mark.parametrize(
    "back", [("live", "rollback"), ("models", "rollback", "BTCUSDT", "direction")]
)
def test_a_slot_that_never_had_a_baseline_has_a_way_back(
    live: Desk, capsys: Capsys, back: tuple[str, ...]
) -> None:
    assert call("live", "deploy", NEWER) == 0
    naive = "2025-05-22T0000Z_1m_baseline-hand"
    model = store_of(live.settings).get_model(f"{SLOT.key}/{naive}")
    assert (model.status, live.champion()) == ("baseline", NEWER)
    assert call("live", "deploy", OLDER) == 0
    stored = [m for m in store_of(live.settings).list_models() if m.facts["baseline"]]
    assert [m.version for m in stored] == [naive], "one is enough"
    assert call(*back) == 0
    assert live.champion() == NEWER
    assert call(*back) == 0
    assert live.champion() == naive
    assert answer(capsys, "models", "validate")["ok"] is True


def test_the_moment_can_be_given_for_homes_whose_turns_lie_in_the_past(
    live: Desk, capsys: Capsys
) -> None:
    assert call("live", "deploy", OLDER, "--now", "2025-05-21T01:00:00Z") == 0
    model = store_of(live.settings).get_model(f"{SLOT.key}/{OLDER}")
    assert model.facts["serves_from_ms"] == instant_ms("2025-05-21T01:00:00Z")
    assert call("live", "deploy", NEWER, "--now", "2025-05-22T01:00:00Z") == 0
    assert list_backups(live.settings.backups_dir)[0]["at"].startswith("2025-05-22T01:00")
    assert call("live", "rollback", "--now", "2025-05-22T03:00:00Z") == 0
    decided = answer(capsys, "models", "show", OLDER)["decisions"]
    assert [one["at"] for one in decided] == [
        "2025-05-21T01:00:00+00:00", "2025-05-22T03:00:00+00:00",
    ]  # fmt: skip
    asked = ("train", "model", "BTCUSDT", "--kind", "direction", "--recipe", "logistic",
             "--lookback-bars", "9000", "--now", "2025-05-23T00:00:00Z", "--promote",
             "--force")  # fmt: skip
    found = answer(capsys, *asked)
    assert found["version"].startswith("2025-05-23T0000Z"), "it is the end of the history too"
    (decided,) = answer(capsys, "models", "show", found["version"])["decisions"]
    assert decided["at"] == "2025-05-23T00:00:00+00:00"
    assert call("live", "deploy", "--now", "soon") == 2
    assert "is not a time" in capsys.readouterr().err


def test_auto_deploy_in_one_command(home: Path, live: Desk, capsys: Capsys) -> None:
    asked = ("live", "train", "--symbol", "BTCUSDT", "--days", "11", "--kind", "direction",
             "--recipe", "logistic", "--end-date", END, "--auto-deploy")  # fmt: skip
    found = answer(capsys, *asked)
    assert found["ok"] is True
    assert Path(found["package"]).is_file()
    assert live.champion() == found["deployed"]["moved"]["champion"]


def test_what_does_not_beat_its_baseline_is_refused_without_force(
    home: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWHEEL_SOURCE", "simulated:random-walk,seed=3")
    walk = Desk(Settings(home=home), SLOT)
    trainer = SafeModelTrainer(walk.settings)
    version = trainer.train("BTCUSDT", 11, kind="direction", recipe="logistic", end=END)
    assert version == f"{OLDER}-2", "what is staged keeps its name"
    package = trainer.package(version)
    assert read_package(trainer.staging.package(OLDER)).version == OLDER, "no beginning of another"
    with pytest.raises(Unproven, match=r"its skill, .*, is not above 0; --force"):
        trainer.deploy(package)
    assert not (home / "models" / "BTC-USDT" / "direction" / version).exists()
    with pytest.raises(ModelNotFound):
        load_model("BTC-USDT/direction")
    assert "all the same" in trainer.deploy(package, force=True).sentence
    assert walk.champion() == read_package(package).version


def test_what_is_staged_is_told_apart_by_its_version_alone(live: Desk) -> None:
    trainer = SafeModelTrainer(live.settings)
    version = trainer.train("ETHUSDT", 11, kind="direction", recipe="logistic", end=END)
    assert version not in (OLDER, NEWER)
    assert trainer.validate(version)["key"] == f"ETH-USDT/direction/1m/{version}"
    assert trainer.validate(OLDER)["key"] == f"{SLOT.key}/{OLDER}"
    trainer.package(version)
    assert trainer.deploy(version, force=True).moved.slot == "ETH-USDT/direction/1m"


HOOK = """
import json, sys
def close(about):
    assert about["slot"] == "BTC-USDT/direction/1m"
    print("closed what", about["before"], "had opened")
def fail(about):
    raise RuntimeError("the exchange does not answer")
"""


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (None, "set close_positions_hook"),
        ("my_desk:fail", "the exchange does not answer"),
        ("my_desk:missing", "has no attribute 'missing'"),
        (f"{sys.executable} -c 'import time; time.sleep(60)'", "longer than 0.5 s"),
        ("/no/such/program", "cannot be started"),
        ("false", "ended with status 1"),
    ],
)
def test_a_hook_that_fails_stops_the_swap(
    live: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, hook: str | None, said: str
) -> None:
    assert call("live", "deploy", OLDER) == 0
    Path("my_desk.py").write_text(HOOK)
    if hook is not None:
        monkeypatch.setenv("TIDEWHEEL_CLOSE_POSITIONS_HOOK", hook)
    if "sleep" in str(hook):
        monkeypatch.setenv("TIDEWHEEL_CLOSE_POSITIONS_TIMEOUT_S", "0.5")
    capsys.readouterr()
    assert call("live", "deploy", "--close-positions") == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert "nothing was swapped" in captured.err
    assert live.champion() == OLDER
    assert live.pending() == []


def test_a_hook_runs_before_the_swap_and_is_told_what_is_going_on(
    live: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("live", "deploy", OLDER) == 0
    Path("my_desk.py").write_text(HOOK)
    monkeypatch.setenv("TIDEWHEEL_CLOSE_POSITIONS_HOOK", "my_desk:close")
    found = answer(capsys, "live", "deploy", "--close-positions")
    assert found["hook"] == f"closed what {OLDER} had opened"
    monkeypatch.setenv("TIDEWHEEL_CLOSE_POSITIONS_HOOK", "cat")
    told = json.loads(answer(capsys, "live", "rollback", "--close-positions")["hook"])
    assert (told["slot"], told["before"]) == (SLOT.key, NEWER)


DAMAGED = {"damaged": "bundle/model.onnx", "baseline damaged": "baseline/model.onnx"}
MISSING = {
    "missing": "bundle/probe.json",
    "baseline missing": "baseline/probe.json",
    "no manifest": "manifest.json",
}


def spoilt(package: Path, how: str) -> Path:
    """Return a copy of a package with one thing wrong in it."""
    target = package.with_name("spoilt.zip")
    with zipfile.ZipFile(package) as whole, zipfile.ZipFile(target, "w") as made:
        for entry in whole.infolist():
            content = whole.read(entry)
            if DAMAGED.get(how) == entry.filename:
                content = content[:-1] + b"!"
            if how == "climbs" and entry.filename == "manifest.json":
                content = content.replace(b"BTC-USDT/", b"../")
            if MISSING.get(how) == entry.filename:
                continue
            made.writestr(entry.filename, content)
        if how == "escapes":
            made.writestr("bundle/../../../escaped", b"!")
        if how == "absolute":
            made.writestr("/tmp/escaped", b"!")
        if how == "unlisted":
            made.writestr("bundle/more.py", b"print()")
        if how == "link":
            link = zipfile.ZipInfo("bundle/link")
            link.external_attr = 0o120777 << 16
            made.writestr(link, b"/etc/passwd")
    return target


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("damaged", "model.onnx is damaged"),
        ("missing", "not those that manifest.json lists"),
        ("no manifest", "manifest.json missing"),
        ("escapes", "is no name of a file of a package"),
        ("climbs", "is no version's key"),
        ("absolute", "is no name of a file of a package"),
        ("unlisted", "not those that manifest.json lists"),
        ("link", "is a link"),
        ("baseline damaged", "baseline/model.onnx is damaged"),
        ("baseline missing", "not those that manifest.json lists"),
    ],
)
def test_a_package_that_is_not_what_it_says_writes_nothing(
    live: Desk, home: Path, how: str, said: str
) -> None:
    trainer = SafeModelTrainer(live.settings)
    package = spoilt(trainer.staging.package(NEWER), how)
    with pytest.raises(PackageRefused, match=said):
        trainer.deploy(package)
    assert not (home / "models").exists() or list((home / "models").glob("*/*/*")) == []
    assert not list(home.rglob("escaped"))


def test_a_package_with_any_byte_changed_is_refused_or_the_same(live: Desk, tmp_path: Path) -> None:
    whole = read_package(path := SafeModelTrainer(live.settings).staging.package(NEWER))
    content, spoilt = path.read_bytes(), tmp_path / "spoilt.zip"
    refused = 0
    for at in range(0, len(content), max(1, len(content) // 300)):
        spoilt.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            assert read_package(spoilt) == whole
        except PackageRefused:
            refused += 1
    assert refused > 200


def test_what_is_no_package_and_what_was_never_staged(live: Desk, tmp_path: Path) -> None:
    trainer = SafeModelTrainer(live.settings)
    other = tmp_path / "other.zip"
    other.write_bytes(b"PK not a zip")
    with pytest.raises(PackageRefused, match="cannot be read as a package"):
        trainer.deploy(other)
    for version in ("2019", "2025-05-2"):
        with pytest.raises(NotStaged, match="prepare one: tidewheel live train"):
            trainer.deploy(version)
    with pytest.raises(NotStaged, match="nothing was deployed yet"):
        trainer.rollback()
