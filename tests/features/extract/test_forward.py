"""The forward pass: batch sizes that fit, features that do not depend on them, settings."""

import json
import shutil
import time

import h5py
import numpy as np
import pytest
import torch
from extraction_toys import SIZE, flat_encoder, make_images, shard_bytes

from clusterbench import InputError
from clusterbench.errors import ClusterbenchError
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.recipe import Preprocessing, Recipe
from clusterbench.features.extract.extraction import extract
from clusterbench.features.extract.forward import (
    FIXED_BATCH,
    Computation,
    Forward,
    computing,
)
from clusterbench.sources.folder import index_folder

CPU = torch.device("cpu")
OPTIONS = {"workers": 0, "shard_rows": 64, "dtype": "float32", "device": "cpu"}


class Small(torch.nn.Module):
    """A network with a convolution, a norm and attention, whose memory holds `limit` images."""

    thread_safe = True

    def __init__(self, limit=0):
        super().__init__()
        torch.manual_seed(0)
        self.limit, self.seen = limit, []
        self.conv = torch.nn.Conv2d(3, 32, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(32)
        self.attention = torch.nn.MultiheadAttention(32, 4, batch_first=True)
        self.last = torch.nn.Linear(32, 24)

    def forward(self, images):
        self.seen.append(len(images))
        if self.limit and len(images) > self.limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        tokens = torch.relu(self.norm(self.conv(images))).flatten(2).transpose(1, 2)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return self.last((tokens + mixed).mean(1))


def small_encoder(limit=0):
    pixels = Preprocessing(SIZE)
    model = f"{__name__}:Small"
    recipe = Recipe("small", "python", model, preprocessing=pixels, model_args={"limit": limit})
    encoder = load_encoder(recipe)
    encoder.module.seen.clear()
    return encoder


def pixels(n, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8))


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_features_are_those_of_the_module_on_normalised_pixels():
    encoder, images = small_encoder(), pixels(10)
    with torch.inference_mode():
        expected = encoder.module(encoder.normalise(images)).numpy()
    found = Forward(encoder, CPU, Computation()).start(images).result()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "small"])
def test_features_do_not_depend_on_the_batch_size_beyond_rounding(name, tmp_path):
    """The tolerance that docs/features.md states: 1e-4 of a feature's length, in fp32."""
    images = make_images(tmp_path / "images", n=70)
    source = index_folder(images)
    encoder = small_encoder() if name == "small" else load_encoder(name)
    stores = [
        extract(source, encoder, tmp_path / str(size), batch_size=size, **OPTIONS).store.read()
        for size in (1, 7, 64)
    ]
    length = np.linalg.norm(stores[0], axis=1, keepdims=True)
    for other in stores[1:]:
        assert np.abs((other - stores[0]) / length).max() < 1e-4


@pytest.mark.parametrize(
    "name", [pytest.param("efficientnet-lite0", marks=pytest.mark.slow), "small"]
)
def test_files_are_the_same_for_any_number_of_threads(name, tmp_path):
    """A process of two threads and two of one thread each, as torchrun starts them, agree."""
    source = index_folder(make_images(tmp_path / "images", n=100))
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            encoder = small_encoder() if name == "small" else load_encoder(name)
            extract(source, encoder, tmp_path / str(threads), batch_size=50, **OPTIONS)
    finally:
        torch.set_num_threads(before)
    one = shard_bytes(tmp_path / "1")
    assert shard_bytes(tmp_path / "2") == one == shard_bytes(tmp_path / "3")


def test_a_module_that_keeps_state_is_never_called_by_two_threads(tmp_path, two_threads):
    class Keeps(torch.nn.Module):
        inside = 0

        def forward(self, images):
            self.inside += 1
            self.kept = images.flatten(1)[:, ::16]
            time.sleep(0.01)
            assert self.inside == 1
            self.inside -= 1
            return self.kept

    source = index_folder(make_images(tmp_path / "images", n=64))
    expected = extract(source, flat_encoder(), tmp_path / "a", **OPTIONS).store.read()
    encoder = flat_encoder()
    object.__setattr__(encoder, "module", Keeps())
    done = extract(source, encoder, tmp_path / "b", batch_size=64, **OPTIONS)
    np.testing.assert_array_equal(done.store.read(), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_deterministic_files_are_the_same_for_any_batch_size_and_threads(tmp_path, threads):
    images = make_images(tmp_path / "images", n=100)
    source, encoder = index_folder(images), small_encoder()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for size in (1, 32, 50, 200):
            extract(
                source,
                encoder,
                tmp_path / str(size),
                batch_size=size,
                deterministic=True,
                **OPTIONS,
            )
        assert torch.get_num_threads() == threads  # as it was
    finally:
        torch.set_num_threads(before)
    one = shard_bytes(tmp_path / "1")
    assert all(shard_bytes(tmp_path / str(size)) == one for size in (32, 50, 200))
    assert set(encoder.module.seen) == {FIXED_BATCH}


def test_deterministic_passes_hold_the_same_images_whichever_shard_is_redone(tmp_path):
    """100 images in shards of 64: passes of 32, 32 | 32, 4 and padding, also when resumed."""
    source, encoder = index_folder(make_images(tmp_path / "images", n=100)), small_encoder()
    options = OPTIONS | {"deterministic": True}
    extract(source, encoder, tmp_path / "st", **options)
    whole = shard_bytes(tmp_path / "st")
    (tmp_path / "st" / "shard-00001.h5").unlink()
    extract(source, encoder, tmp_path / "st", batch_size=5, **options)
    assert shard_bytes(tmp_path / "st") == whole


def test_deterministic_is_part_of_the_identity_and_the_batch_size_is_not(tmp_path):
    source, encoder = index_folder(make_images(tmp_path / "images")), small_encoder()
    plain = extract(source, encoder, tmp_path / "a", batch_size=8, **OPTIONS).store
    other = extract(source, encoder, tmp_path / "b", batch_size=16, **OPTIONS).store
    fixed = extract(source, encoder, tmp_path / "c", deterministic=True, **OPTIONS).store
    assert plain.identity == other.identity != fixed.identity
    with pytest.raises(InputError, match=r"computation\.fixed_batch: found nothing, wanted 32"):
        extract(source, encoder, tmp_path / "a", deterministic=True, **OPTIONS)


def test_out_of_memory_halves_the_batch_until_it_fits_and_loses_nothing(tmp_path):
    source = index_folder(make_images(tmp_path / "images", n=70))
    expected = extract(source, small_encoder(), tmp_path / "a", **OPTIONS).store.read()
    encoder, sizes = small_encoder(limit=10), []
    done = extract(
        source, encoder, tmp_path / "b", progress=lambda p: sizes.append(p.batch_size), **OPTIONS
    )
    np.testing.assert_allclose(done.store.read(), expected, atol=1e-5)
    # Passes of 32 of the first batch, then of 16, then of 8 and never larger again; the second
    # batch, of 6 images, is computed beside it.
    tried = [count for count in encoder.module.seen if count != 6]
    assert tried == [32] * 2 + [16] * 4 + [8] * 8
    assert sizes[-1] == 8
    with h5py.File(tmp_path / "b" / "shard-00001.h5") as file:
        assert json.loads(file.attrs["made_with"])["batch_size"] == 8


def test_batches_under_way_when_passes_are_halved_do_not_halve_them_again():
    encoder = small_encoder(limit=20)
    forward = Forward(encoder, CPU, Computation())
    begun = [forward.start(pixels(64, seed)) for seed in range(3)]
    found = [pending.result() for pending in begun]
    assert forward.batch_limit == 16
    whole = Forward(small_encoder(), CPU, Computation())
    for seed, features in enumerate(found):
        np.testing.assert_allclose(features, whole.start(pixels(64, seed)).result(), atol=1e-5)


def test_memory_that_does_not_hold_one_image_is_said_and_other_errors_are_not_swallowed(tmp_path):
    source = index_folder(make_images(tmp_path / "images", n=8))
    with pytest.raises(ClusterbenchError, match="out of memory on cpu with 1 images at a time"):
        encoder = small_encoder()
        encoder.module.limit = -1
        extract(source, encoder, tmp_path / "a", **OPTIONS)

    class Broken(torch.nn.Module):
        def forward(self, images):
            if len(images) > 1:
                raise RuntimeError("shapes do not fit")
            return images.flatten(1)

    encoder = flat_encoder()
    object.__setattr__(encoder, "module", Broken())
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        extract(source, encoder, tmp_path / "b", **OPTIONS)


def test_out_of_memory_in_deterministic_mode_says_what_to_leave_out(tmp_path):
    source = index_folder(make_images(tmp_path / "images", n=40))
    with pytest.raises(ClusterbenchError, match="leave out --deterministic, whose passes hold 32"):
        extract(source, small_encoder(limit=4), tmp_path / "a", deterministic=True, **OPTIONS)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_is_close_and_of_another_identity(tmp_path, precision):
    source, encoder = index_folder(make_images(tmp_path / "images")), small_encoder()
    full = extract(source, encoder, tmp_path / "a", **OPTIONS).store
    mixed = extract(source, encoder, tmp_path / "b", precision=precision, **OPTIONS).store
    assert cosine(full.read(), mixed.read()).min() > 0.999
    assert not np.array_equal(full.read(), mixed.read())
    assert full.identity != mixed.identity


def test_channels_last_is_equal_up_to_rounding_and_recorded(tmp_path):
    source, encoder = index_folder(make_images(tmp_path / "images")), small_encoder()
    plain = extract(source, encoder, tmp_path / "a", **OPTIONS).store
    encoder = small_encoder()
    last = extract(source, encoder, tmp_path / "b", channels_last=True, **OPTIONS).store
    np.testing.assert_allclose(last.read(), plain.read(), atol=1e-5)
    assert encoder.module.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert plain.identity == last.identity
    with h5py.File(tmp_path / "b" / "shard-00000.h5") as file:
        assert json.loads(file.attrs["made_with"])["channels_last"] is True


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_features_are_equal_up_to_rounding(tmp_path):
    source, encoder = index_folder(make_images(tmp_path / "images", n=20)), small_encoder()
    plain = extract(source, encoder, tmp_path / "a", batch_size=8, **OPTIONS).store
    encoder = small_encoder()
    done = extract(source, encoder, tmp_path / "b", batch_size=8, compile=True, **OPTIONS)
    np.testing.assert_allclose(done.store.read(), plain.read(), atol=1e-5)


def test_switches_of_torch_are_as_before_afterwards(two_threads):
    before = (
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.deterministic,
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
    )
    with computing(Computation(deterministic=True)):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError), computing(Computation(deterministic=True)):
        raise RuntimeError
    assert before == (
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.deterministic,
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_features_on_a_gpu_are_those_of_the_cpu_up_to_rounding(tmp_path):
    source = index_folder(make_images(tmp_path / "images", n=70))
    cpu = extract(source, small_encoder(), tmp_path / "a", **OPTIONS).store.read()
    options = OPTIONS | {"device": "cuda", "workers": 2, "batch_size": 16}
    gpu = extract(source, small_encoder(), tmp_path / "b", **options).store.read()
    np.testing.assert_allclose(gpu, cpu, atol=1e-4)
