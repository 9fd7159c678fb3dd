"""A cache keyed by name only: weights, preprocessing, dtype or data changed, old features kept."""

import json
import os
import shutil
import time

import pytest
from extraction_toys import flat_encoder, make_images

from clusterbench import FeatureStore, InputError
from clusterbench.features.extract.extraction import extract
from clusterbench.sources.folder import index_folder


def run(images, output, encoder=None, **options):
    options = {"workers": 0, "shard_rows": 16, "dtype": "float32", "device": "cpu", **options}
    return extract(index_folder(images), encoder or flat_encoder(), output, **options)


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


@pytest.fixture
def output(tmp_path, images):
    run(images, tmp_path / "st")
    return tmp_path / "st"


@pytest.mark.parametrize(
    ("encoder", "options", "difference"),
    [
        ({"weight": 2.0}, {}, r"details\.weights_sha256: found \w{12}, wanted \w{12}"),
        ({"crop": "squash"}, {}, r"details\.preprocessing\.crop: found center, wanted squash"),
        ({"mean": (0, 0, 0)}, {}, r"details\.preprocessing\.mean: found \[0\.5"),
        ({"interpolation": "bilinear"}, {}, "interpolation: found bicubic, wanted bilinear"),
        ({}, {"dtype": "float16"}, "dtype: found float32, wanted float16"),
        ({}, {"precision": "bf16"}, r"details\.precision: found fp32, wanted bf16"),
        ({}, {"shard_rows": 8}, "shard_rows: found 16, wanted 8"),
    ],
)
@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_other_features_are_refused_and_each_difference_is_named(
    images, output, encoder, options, difference, state
):
    if state == "unfinished":
        leave_unfinished(images, output)
    before = {p.name: p.read_bytes() for p in output.iterdir()}
    with pytest.raises(InputError, match=f"holds other features: .*{difference}"):
        run(images, output, flat_encoder(**encoder), **options)
    assert {p.name: p.read_bytes() for p in output.iterdir()} == before


def leave_unfinished(images, output):
    """The folder as a run leaves it that was interrupted after its first shard."""

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.done > 16:
            raise Stop

    shutil.rmtree(output)
    with pytest.raises(Stop):
        run(images, output, progress=stop, batch_size=4)


def test_an_image_more_is_another_data_set(images, output):
    make_images(images, n=41)
    with pytest.raises(InputError, match=r"index: found \w{12}, wanted \w{12}; n: found 40"):
        run(images, output)


def test_an_image_of_another_class_or_split_is_another_data_set(images, output):
    index = index_folder(images, val_fraction=0.3).index
    assert index.hash != index_folder(images).index.hash


def test_an_image_whose_size_changed_is_found_and_named(images, output):
    make_images(images / "x", n=1, seed=9)
    path = images / "c2" / "002.png"
    (images / "x" / "c0" / "000.png").rename(path)
    path.write_bytes(path.read_bytes() + b"tail")
    os.utime(path, (1e9, 1e9))  # older than the shard: the size alone tells
    (images / "x" / "c0").rmdir()
    (images / "x").rmdir()
    with pytest.raises(InputError, match=r"shard-00001\.h5: 1 images changed .*'c2/002'"):
        run(images, output)


def test_an_image_of_the_same_size_with_other_contents_is_found_by_its_age(images, output):
    path = images / "c2" / "002.png"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    later = time.time() + 10
    os.utime(path, (later, later))
    with pytest.raises(InputError, match=r"1 images changed .*'c2/002'"):
        run(images, output)
    assert run(images, output, verify_images=False).n_new == 0


def test_a_copied_data_set_with_new_dates_is_still_the_same(images, output):
    later = time.time() + 10
    for path in images.rglob("*.png"):
        os.utime(path, (later, later))
    assert run(images, output).n_new == 0


def test_identity_of_a_store_covers_the_images_themselves(images, output, tmp_path):
    other = make_images(tmp_path / "other", seed=5)  # the same names, other pixels
    one, two = FeatureStore.open(output), run(other, tmp_path / "st2").store
    assert one.index.hash == two.index.hash
    assert one.identity != two.identity


def test_a_mended_image_is_not_left_out_for_ever(images, tmp_path):
    path = images / "c0" / "000.png"
    content = path.read_bytes()
    path.write_bytes(b"broken")
    run(images, tmp_path / "st2", max_broken=0.5)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"shard-00000\.h5: 1 images changed"):
        run(images, tmp_path / "st2", max_broken=0.5)
    (tmp_path / "st2" / "shard-00000.h5").unlink()
    assert run(images, tmp_path / "st2").store.n == 40


def test_a_shard_of_another_extraction_is_done_again_not_served(images, output, tmp_path):
    run(images, tmp_path / "st2", flat_encoder(weight=2.0))
    good = (output / "shard-00001.h5").read_bytes()
    (output / "shard-00001.h5").write_bytes((tmp_path / "st2" / "shard-00001.h5").read_bytes())
    with pytest.raises(InputError, match="belongs to another extraction"):
        FeatureStore.open(output)
    assert run(images, output).n_new == 16
    assert (output / "shard-00001.h5").read_bytes() == good


def test_an_edited_manifest_is_not_believed(output):
    path = output / "store.json"
    manifest = json.loads(path.read_text())
    manifest["fields"]["details"]["weights_sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="the file was edited"):
        FeatureStore.open(output)
