import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import torch
from extraction_toys import SIZE, flat_encoder, make_images, shard_bytes
from PIL import Image

from clusterbench import FeatureStore, InputError
from clusterbench.devices import resolve_device
from clusterbench.errors import ClusterbenchError
from clusterbench.features.encoders.images import decode, to_pixels
from clusterbench.features.extract.extraction import (
    extract,
    plan_extraction,
)
from clusterbench.sources.folder import index_folder

OPTIONS = {"workers": 0, "batch_size": 4, "shard_rows": 16, "dtype": "float32", "device": "cpu"}


def run(images, output, encoder=None, **options):
    return extract(index_folder(images), encoder or flat_encoder(), output, **(OPTIONS | options))


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


def expected_features(source, encoder):
    rows = []
    for row in range(source.index.n):
        pixels = to_pixels(decode(source.path(row).read_bytes()), encoder.preprocessing)
        rows.append(encoder.normalise(torch.from_numpy(pixels.copy())[None]))
    with torch.inference_mode():
        return encoder.module(torch.cat(rows)).numpy()


def test_row_r_holds_the_features_of_sample_r(images, tmp_path):
    seen = []
    done = run(images, tmp_path / "st", progress=lambda p: seen.append((p.done, p.total)))
    source, encoder = index_folder(images), flat_encoder()
    np.testing.assert_array_equal(done.store.read(), expected_features(source, encoder))
    assert done.store.index.hash == source.index.hash
    assert (done.n_new, done.n_before, done.n_broken) == (40, 0, 0)
    assert done.store.verify() == []
    assert not (tmp_path / "st" / "extraction.json").exists()
    assert seen[0] == (0, 40) and seen[-1] == (40, 40)
    assert [b[0] for b in seen] == sorted(b[0] for b in seen)
    assert len(done.store.shards) == 3


def test_a_finished_store_is_returned_as_it_is(images, tmp_path):
    run(images, tmp_path / "st")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "st").iterdir()}
    again = run(images, tmp_path / "st")
    assert (again.n_new, again.n_before) == (0, 40)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "st").glob("[!.]*")}.items() <= (
        before.items()
    )


def test_what_a_kill_after_the_manifest_left_is_removed_by_the_next_call(
    images, tmp_path, monkeypatch
):
    run(images, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("clusterbench.features.store.writer.tidy_store", lambda path: None)
        run(images, tmp_path / "left")
    (tmp_path / "left" / ".damaged-shard-00001.h5").touch()
    assert (tmp_path / "left" / "extraction.json").is_file()
    assert run(images, tmp_path / "left").n_new == 0
    assert shard_bytes(tmp_path / "left") == shard_bytes(tmp_path / "whole")
    assert not (tmp_path / "left" / ".damaged-shard-00001.h5").exists()


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 3}])
def test_files_are_the_same_for_any_number_of_workers(images, tmp_path, options):
    run(images, tmp_path / "one")
    run(images, tmp_path / "two", **options)
    assert shard_bytes(tmp_path / "one") == shard_bytes(tmp_path / "two")


def test_only_the_shards_that_are_not_there_are_done(images, tmp_path):
    run(images, tmp_path / "st")
    whole = shard_bytes(tmp_path / "st")
    (tmp_path / "st" / "shard-00001.h5").unlink()
    with pytest.raises(InputError, match=r"shard-00001\.h5: shard is missing; run the same"):
        FeatureStore.open(tmp_path / "st")
    seen = []
    done = run(images, tmp_path / "st", progress=lambda p: seen.append(p.done))
    assert (done.n_new, done.n_before) == (16, 24)
    assert seen[0] == 24
    assert shard_bytes(tmp_path / "st") == whole


def test_a_truncated_shard_is_done_again(images, tmp_path):
    run(images, tmp_path / "st")
    whole = shard_bytes(tmp_path / "st")
    path = tmp_path / "st" / "shard-00002.h5"
    path.write_bytes(path.read_bytes()[:1000])
    assert run(images, tmp_path / "st").n_new == 8
    assert shard_bytes(tmp_path / "st") == whole


def test_a_run_that_fails_keeps_its_finished_shards_and_is_not_yet_a_store(images, tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.done > 20:
            raise Stop

    with pytest.raises(Stop):
        run(images, tmp_path / "st", progress=stop)
    with pytest.raises(InputError, match=r"not finished \(1 of 3 shards\); run the same"):
        FeatureStore.open(tmp_path / "st")
    assert run(images, tmp_path / "st").n_new == 24
    run(images, tmp_path / "whole")
    assert shard_bytes(tmp_path / "st") == shard_bytes(tmp_path / "whole")


def test_a_store_that_lost_shards_is_unfinished_again_until_all_are_back(images, tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.done > 32:
            raise Stop

    run(images, tmp_path / "st")
    for number in (0, 1):
        (tmp_path / "st" / f"shard-0000{number}.h5").unlink()
    with pytest.raises(Stop):
        run(images, tmp_path / "st", progress=stop)
    with pytest.raises(InputError, match=r"not finished \(2 of 3 shards\)"):
        FeatureStore.open(tmp_path / "st")


# Broken images


def test_broken_images_are_recorded_and_left_out(images, tmp_path):
    (images / "c1" / "001.png").write_bytes(b"hello")
    (images / "c3" / "zzz.png").symlink_to(images / "nowhere.png")
    done = run(images, tmp_path / "st", max_broken=0.1)
    assert done.n_broken == done.store.broken == 2
    lines = (tmp_path / "st" / "broken.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "c1/001", "reason": "not an image that Pillow can read"},
        {"id": "c3/zzz", "reason": "no such file (dangling link, or removed)"},
    ]
    store = done.store
    ids = [store.index.id(row) for row in range(store.n)]
    assert store.n == 39 and "c1/001" not in ids
    (images / "c1" / "001.png").unlink()
    (images / "c3" / "zzz.png").unlink()
    source = index_folder(images)
    assert store.index.hash == source.index.hash
    np.testing.assert_array_equal(store.read(), expected_features(source, flat_encoder()))
    with h5py.File(tmp_path / "st" / "features.h5") as file:
        np.testing.assert_array_equal(file["features"][:], store.read())


def test_a_broken_image_changes_its_own_shard_only_and_resuming_remembers_it(images, tmp_path):
    run(images, tmp_path / "sound")
    (images / "c1" / "001.png").write_bytes(b"hello")  # position 10: the first shard
    run(images, tmp_path / "st", max_broken=0.1)
    sound, broken = shard_bytes(tmp_path / "sound"), shard_bytes(tmp_path / "st")
    assert sound["shard-00000.h5"] != broken["shard-00000.h5"]
    assert sound["shard-00001.h5"] == broken["shard-00001.h5"]
    assert sound["shard-00002.h5"] == broken["shard-00002.h5"]
    (tmp_path / "st" / "shard-00002.h5").unlink()
    again = run(images, tmp_path / "st", max_broken=0.1)
    assert again.n_broken == 1
    assert shard_bytes(tmp_path / "st") == broken


def test_a_shard_of_broken_images_only_is_empty_and_the_store_still_sound(tmp_path):
    images = make_images(tmp_path / "images", n=40, classes=1)
    for i in range(16, 32):
        (images / "c0" / f"{i:03d}.png").write_bytes(b"x")
    store = run(images, tmp_path / "st", max_broken=0.5).store
    assert [shard.rows for shard in store.shards] == [16, 0, 8]
    assert store.read(np.array([23, 16, 15])).shape == (3, 12)
    assert store.verify() == []


def test_too_many_broken_images_fail_the_run_with_the_first_reason(images, tmp_path):
    (images / "c1" / "001.png").write_bytes(b"hello")
    with pytest.raises(ClusterbenchError, match=r"1 of 40 .*2\.50%.*--max-broken 0\.02.*'c1/001'"):
        run(images, tmp_path / "st", max_broken=0.02)
    assert run(images, tmp_path / "st", max_broken=0.025).n_broken == 1


def test_a_data_set_of_broken_images_only_fails(tmp_path):
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").write_bytes(b"x")
    with pytest.raises(ClusterbenchError, match="none of the 1 images can be read"):
        run(tmp_path / "images", tmp_path / "st", max_broken=1.0)


# Faults


@pytest.mark.parametrize(
    ("weight", "dtype", "message"),
    [
        (float("nan"), "float32", "gives NaN or infinity for 'c0/000'"),
        (1e6, "float16", "features of 'c0/000' are too large for float16; use --dtype float32"),
    ],
)
def test_features_that_are_not_finite_are_refused(images, tmp_path, weight, dtype, message):
    with pytest.raises(ClusterbenchError, match=message):
        encoder = flat_encoder()
        encoder.module.weight.fill_(weight)
        run(images, tmp_path / "st", encoder, dtype=dtype)
    assert list((tmp_path / "st").glob("shard-*")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99': "),
        ({"device": "gpu"}, "device 'gpu' is unknown; use auto"),
        ({"precision": "fp8"}, "precision 'fp8'; wanted one of fp32, bf16, fp16"),
        ({"dtype": "float64"}, "wanted float16, bfloat16 or float32"),
        ({"batch_size": 0}, "batch size 0"),
        ({"workers": -1}, "workers is -1"),
        ({"max_broken": 1.5}, r"max_broken is 1\.5"),
        ({"shard_rows": 0}, "shard_rows is 0"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(images, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(images, tmp_path / "st", **options)
    assert not (tmp_path / "st").exists()


def test_an_output_that_holds_something_else_is_left_alone(images, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="is there and is not a feature store"):
        run(images, tmp_path / "notes")
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["a.txt"]
    with pytest.raises(InputError, match="is there and is not a feature store"):
        run(images, tmp_path / "notes" / "a.txt")


def test_an_output_of_features_given_as_an_array_is_left_alone(images, tmp_path):
    index = index_folder(images).index
    FeatureStore.write(tmp_path / "st", np.ones((40, 3)), index, encoder="own")
    with pytest.raises(InputError, match=r"not extracted by this command \(encoder own\)"):
        run(images, tmp_path / "st")


def test_auto_device_is_there():
    assert resolve_device("auto").type in ("cpu", "cuda")


def test_a_plan_says_what_is_to_do_and_creates_nothing(images, tmp_path):
    source, encoder = index_folder(images), flat_encoder()
    options = {"dtype": "float32", "shard_rows": 16}
    plan = plan_extraction(source, encoder, tmp_path / "st", **options)
    assert (plan.n, plan.n_shards, plan.n_pending, plan.pending) == (40, 3, 40, (0, 1, 2))
    assert plan.nbytes == 40 * 12 * 4 and not plan.finished
    assert not (tmp_path / "st").exists()
    run(images, tmp_path / "st")
    (tmp_path / "st" / "shard-00001.h5").unlink()
    plan = plan_extraction(source, encoder, tmp_path / "st", **options)
    assert (plan.n_pending, plan.pending, plan.finished) == (16, (1,), False)


def test_bf16_gives_nearly_the_same_features_under_another_identity(tmp_path):
    from clusterbench.features.encoders.encoder import load_encoder

    images = make_images(tmp_path / "images", n=8)
    encoder = load_encoder("efficientnet-lite0")
    one = run(images, tmp_path / "fp32", encoder).store
    two = run(images, tmp_path / "bf16", encoder, precision="bf16").store
    a, b = one.read(), two.read()
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.99
    assert one.identity != two.identity


# The real thing: Lite0 through the command line, killed


def command(images, output, *more):
    code = "from clusterbench.cli.verbs.extract import extract; import typer; typer.run(extract)"
    options = ["--source", images, "--encoder", "efficientnet-lite0", "--output", output]
    options += ["--shard-rows", 8, "--batch-size", 4, "--workers", 1, "--device", "cpu", *more]
    return [sys.executable, "-c", code, *map(str, options)]


@pytest.mark.slow
def test_after_kill_9_the_same_command_goes_on_and_the_files_are_the_same(tmp_path):
    images = make_images(tmp_path / "images", n=60)
    out = tmp_path / "killed"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command(images, out),
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "shard-00001.h5").exists() and time.monotonic() < deadline:
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {p.name: p.read_bytes() for p in out.glob("shard-*.h5")}
    assert 2 <= len(kept) < 8
    with pytest.raises(InputError, match=r"extraction is not finished \(\d of 8 shards\)"):
        FeatureStore.open(out)
    for folder in (out, tmp_path / "whole"):
        subprocess.run(command(images, folder), env=env, check=True, capture_output=True)
    assert shard_bytes(out) == shard_bytes(tmp_path / "whole")
    assert all((out / name).read_bytes() == content for name, content in kept.items())
    assert FeatureStore.open(out).verify() == []


def test_pixels_are_of_the_size_of_the_recipe(images):
    pixels = to_pixels(Image.open(images / "c0" / "000.png"), flat_encoder().preprocessing)
    assert pixels.shape == (SIZE, SIZE, 3)
