"""What `clusterbench cache repair` makes again, and what it leaves alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cache_toys import one_line, repair
from store_toys import files, flip, stamps, write_store

from clusterbench import FeatureStore
from clusterbench.features.store.store_manifest import read_manifest, write_manifest


def test_repair_of_a_sound_store_does_nothing(cache, st):
    before = stamps(st)
    code, out, _ = repair(cache, "st")
    assert code == 0 and "nothing to repair" in out
    assert stamps(st) == before


@pytest.mark.parametrize("damage", ["change", "cut", "delete"])
def test_repair_makes_the_damaged_shard_again_and_only_this(cache, st, damage):
    before, others = files(st), stamps(st)
    path = st / "shard-00000.h5"
    if damage == "change":
        flip(path, path.stat().st_size - 1)
    elif damage == "cut":
        os.truncate(path, 900)
    else:
        path.unlink()
    code, out, err = repair(cache, "st")
    assert (code, err) == (0, "")
    assert "shard-00000.h5: made again, the same bytes as before" in out
    assert files(st) == before
    after = stamps(st)
    assert [name for name in after if name.startswith("shard") and after[name] != others[name]] == [
        "shard-00000.h5"
    ]


@pytest.mark.parametrize("name", ["index.h5", "broken.jsonl", "features.h5", "store.json"])
@pytest.mark.parametrize("damage", ["change", "delete"])
def test_repair_writes_other_files_again_and_touches_no_shard(cache, st, name, damage):
    before, others = files(st), stamps(st)
    if damage == "delete":
        (st / name).unlink()
    else:
        flip(st / name, len(before[name]) // 2)
    assert cache("verify", "st")[0] == 1
    code, out, err = repair(cache, "st")
    assert (code, err) == (0, "")
    assert f"{name}: written again" in out
    assert files(st) == before
    after = stamps(st)
    assert [n for n in after if n.startswith("shard") and after[n] != others[n]] == []


def test_repair_of_a_manifest_and_a_shard_at_once(cache, st):
    before = files(st)
    (st / "store.json").write_text("{")
    flip(st / "shard-00003.h5", len(before["shard-00003.h5"]) - 1)
    code, out, _ = repair(cache, "st")
    assert code == 0 and "shard-00003.h5: made again" in out
    assert files(st) == before


def test_the_virtual_file_needs_no_images_and_may_have_other_bytes(cache, st, tmp_path):
    """As another version of HDF5 writes it: the manifest then records the new ones."""
    shutil.rmtree(tmp_path / "birds")
    manifest = read_manifest(st)
    write_manifest(st, manifest | {"files": {**manifest["files"], "features.h5": "0" * 64}})
    assert cache("verify", "st")[0] == 1
    assert repair(cache, "st")[0] == 0
    assert cache("verify", "st")[0] == 0


def test_repair_with_the_images_in_another_place(cache, st, tmp_path, monkeypatch):
    before = files(st)
    (st / "shard-00001.h5").unlink()
    (tmp_path / "birds").rename(tmp_path / "moved")
    damaged = stamps(st)
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "birds does not exist" in err
    assert stamps(st) == damaged
    assert repair(cache, "st", "--source", "moved")[0] == 0
    assert {**files(st), "origin.json": b""} == {**before, "origin.json": b""}
    (st / "shard-00001.h5").unlink()  # remembered, also from another folder
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert repair(cache, st)[0] == 0


def test_without_its_images_a_store_is_left_as_it_was(cache, st, tmp_path):
    flip(st / "shard-00001.h5", 3000)
    before = stamps(st)
    next((tmp_path / "birds" / "c0").iterdir()).unlink()
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "index: found" in err
    assert stamps(st) == before


@pytest.mark.parametrize("how", ["unreadable", "other pixels"])
def test_images_that_changed_leave_the_store_as_it_was(cache, st, tmp_path, how):
    """The image is in the damaged shard, so that nothing but the store's identity tells."""
    flip(st / "shard-00000.h5", 3000)
    before = files(st)
    image = sorted((tmp_path / "birds" / "c0").iterdir())[1]
    content = image.read_bytes()
    if how == "unreadable":
        image.write_bytes(b"broken")
    else:
        shutil.copy(sorted((tmp_path / "birds" / "c1").iterdir())[1], image)
    code, _, err = repair(cache, "st")
    assert code == 1 and one_line(err)
    assert ("images are not those it was made from" in err) == (how == "other pixels")
    assert "cannot be read" in err or "images: found" in err
    after = files(st)
    assert {n: b for n, b in after.items() if not n.startswith((".", "shard-00000", "origin"))} == {
        n: b for n, b in before.items() if not n.startswith(("shard-00000", "origin"))
    }
    assert "shard-00000.h5" in after
    image.write_bytes(content)
    assert cache("verify", "st")[0] == 1
    assert repair(cache, "st")[0] == 0


def test_another_preprocessing_is_refused_before_anything_is_touched(cache, st, recipe):
    flip(st / "shard-00001.h5", 3000)
    before = stamps(st)
    recipe("bilinear")
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err)
    assert "details.preprocessing.interpolation: found bicubic, wanted bilinear" in err
    assert stamps(st) == before


def test_an_interrupted_repair_leaves_the_store_as_it_was(cache, st, monkeypatch):
    """Ctrl-C in the middle: raised where the first image would be decoded."""
    flip(st / "shard-00001.h5", 3000)
    before = files(st)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("clusterbench.features.extract.pipeline.decoded_batches", interrupt)
    assert repair(cache, "st")[0] == 130
    assert {n: b for n, b in files(st).items() if n != ".claims"} == before


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "clusterbench-origin/1", "source": 1}'])
def test_an_origin_that_is_damaged_or_gone_is_told(cache, st, text):
    (st / "shard-00001.h5").unlink()
    (st / "origin.json").write_text(text)
    before = stamps(st)
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "origin.json: damaged" in err
    (st / "origin.json").unlink()
    code, _, err = repair(cache, "st")
    assert code == 2 and one_line(err) and "does not say where its images are" in err
    before.pop("origin.json")
    assert stamps(st) == before


def test_of_given_features_only_the_virtual_file_can_be_written_again(cache, tmp_path):
    store = write_store(tmp_path / "given")
    sound = files(store.path)
    (store.path / "features.h5").unlink()
    assert repair(cache, "given")[0] == 0 and files(store.path) == sound
    flip(store.path / "shard-00001.h5", 3000)
    before = stamps(store.path)
    code, _, err = repair(cache, "given")
    assert code == 2 and one_line(err)
    assert "given was made from features that were given, not from images" in err
    assert stamps(store.path) == before


@pytest.mark.slow
def test_the_command_itself_repairs(st, tiny_world):
    before = files(st)
    flip(st / "shard-00004.h5", 2500)
    home = os.environ["CLUSTERBENCH_HOME"]
    where = os.pathsep.join([str(Path(__file__).parents[2] / "toys"), *sys.path])
    run = lambda *words: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "clusterbench", "cache", *words],
        capture_output=True, text=True, timeout=120,
        env={**tiny_world.environment(), "PYTHONPATH": where, "CLUSTERBENCH_HOME": home},
    )  # fmt: skip
    assert run("verify", "st").returncode == 1
    done = run("repair", "st", "--workers", "0", "--device", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(st) == before
    np.testing.assert_array_equal(FeatureStore.open(st).read().shape, (39, 12))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder", "python:extraction_toys:Flat"),
        ("encoder", "/somewhere/recipe.toml"),
        ("location", "torch:extraction_toys:build"),
        ("location", "/somewhere/index.h5"),
    ],
)
def test_code_that_a_store_names_is_not_run_unasked(cache, st, key, value):
    origin = json.loads((st / "origin.json").read_text())
    (origin if key == "encoder" else origin["source"])[key] = value
    (st / "origin.json").write_text(json.dumps(origin))
    (st / "shard-00001.h5").unlink()
    before = files(st)
    code, _, err = cache("repair", st)
    assert code == 2 and f"names '{value}', which would be run" in err and "--allow-code" in err
    assert files(st) == before
    assert "which would be run" not in cache("repair", st, "--allow-code")[2]
