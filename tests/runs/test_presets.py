from __future__ import annotations

from pathlib import Path

import pytest

from clusterbench import methods
from clusterbench.errors import InputError
from clusterbench.runs import presets


@pytest.mark.parametrize("name", presets.names())
def test_shipped_presets_build_every_method_they_name(name: str) -> None:
    for method, settings in presets.load(name).items():
        built = methods.get(method)(n_clusters=5, **settings)
        assert {k: built.get_params()[k] for k in settings} == settings


def test_laptop_and_paper_are_there() -> None:
    assert {"laptop", "paper"} <= set(presets.names())
    # The methods' own defaults are the published recipes, but for what chooses among heads.
    assert all(chosen == {"select": "loss"} for chosen in presets.load("paper").values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[temy]\nepochs = 3\n", "mine.toml: unknown method 'temy'; did you mean temi"),
        ("[temi]\nepoch = 3\n", "temi: unknown key 'epoch'; did you mean epochs"),
        ("[temi]\nn_clusters = 3\n", "unknown key 'n_clusters'"),
        ("temi = 3\n", "temi = 3 should be a table"),
        ("[temi\n", "not valid TOML"),
    ],
)
def test_a_wrong_preset_names_file_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    folder = tmp_path / "benchmarks" / "presets"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(text)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=message):
        presets.load("mine")


def test_the_users_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "benchmarks" / "presets"
    folder.mkdir(parents=True)
    (folder / "laptop.toml").write_text("[kmeans]\nn_init = 3\n")
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    assert presets.load("laptop") == {"kmeans": {"n_init": 3}}


def test_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean laptop"):
        presets.load("labtop")
