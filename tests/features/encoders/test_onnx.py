"""ONNX files as encoders: small real models, run by ONNX Runtime."""

import copy
import hashlib
import os
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from clusterbench import InputError
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.onnx_files import digest, external_files
from clusterbench.features.encoders.onnx_models import OnnxModule
from clusterbench.features.encoders.recipe import Preprocessing, Recipe
from clusterbench.features.encoders.weights import hash_state

WEIGHT = np.random.default_rng(5).normal(size=(4, 3, 4, 4)).astype(np.float32)


def toy(path, batch="b", channels=3, dtype=TensorProto.FLOAT, external=False, weight=WEIGHT):
    """Patches of 4 x 4 pixels of an 8 x 8 image: their map, as tokens, and their mean."""
    numpy_type = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
    initializers = [
        numpy_helper.from_array(weight.astype(numpy_type)[:, :channels], "w"),
        numpy_helper.from_array(np.array([0, 4, 4], np.int64), "to_tokens"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["map"], strides=[4, 4]),
        helper.make_node("Reshape", ["map", "to_tokens"], ["by_channel"]),
        helper.make_node("Transpose", ["by_channel"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
    ]
    images = helper.make_tensor_value_info("images", dtype, [batch, channels, 8, 8])
    outputs = [
        helper.make_tensor_value_info(name, dtype, shape)
        for name, shape in [
            ("pooled", [batch, 4, 1, 1]),
            ("tokens", [batch, 4, 4]),
            ("map", [batch, 4, 2, 2]),
        ]
    ]
    graph = helper.make_graph(nodes, "toy", [images], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = {"save_as_external_data": True, "location": "toy.data", "size_threshold": 100}
    onnx.save(model, path, **(options if external else {}))
    return path


def expected_map(images):
    return torch.nn.functional.conv2d(images, torch.from_numpy(WEIGHT), stride=4)


def onnx_recipe(path="", **changes):
    values = {"name": "toy", "library": "onnx", "model": str(path)}
    return Recipe(**{**values, "preprocessing": Preprocessing(8), **changes})


@pytest.fixture
def images():
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_features_are_those_of_the_network_in_the_file(tmp_path, images):
    encoder = load_encoder(onnx_recipe(toy(tmp_path / "a.onnx")))
    assert encoder.dim == 4
    features = encoder.module(images)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, expected_map(images).mean((2, 3)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("output", "pooling", "pick"),
    [
        ("tokens", "token", lambda m: m.flatten(2)[:, :, 0]),
        ("tokens", "mean", lambda m: m.mean((2, 3))),
        ("map", "mean", lambda m: m.mean((2, 3))),
        ("pooled", "none", lambda m: m.mean((2, 3))),
    ],
)
def test_outputs_are_picked_by_name_and_pooled(tmp_path, images, output, pooling, pick):
    arguments = {"output": output, "pooling": pooling}
    encoder = load_encoder(onnx_recipe(toy(tmp_path / "a.onnx"), model_args=arguments))
    expected = pick(expected_map(images))
    torch.testing.assert_close(encoder.module(images), expected, atol=1e-5, rtol=1e-5)


def test_models_of_blue_green_red_get_their_channels_in_that_order(tmp_path, images):
    found = OnnxModule(toy(tmp_path / "a.onnx"), channels="bgr")(images)
    expected = expected_map(images.flip(1)).mean((2, 3))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_fixed_batch_size_gives_the_same_features(tmp_path, images, batch):
    fixed = load_encoder(onnx_recipe(toy(tmp_path / "a.onnx", batch=batch))).module
    free = OnnxModule(toy(tmp_path / "b.onnx"))
    torch.testing.assert_close(fixed(images), free(images), atol=1e-6, rtol=1e-6)


def test_half_precision_models_get_half_precision_images(tmp_path, images):
    found = OnnxModule(toy(tmp_path / "a.onnx", dtype=TensorProto.FLOAT16))(images)
    expected = expected_map(images).mean((2, 3))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=2e-2)


def test_images_in_any_memory_layout_and_a_copied_module_give_the_same(tmp_path, images):
    module = OnnxModule(toy(tmp_path / "a.onnx"))
    expected = module(images)
    torch.testing.assert_close(module(images.to(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(copy.deepcopy(module)(images), expected)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_images_on_a_gpu_give_features_there(tmp_path, images):
    module = OnnxModule(toy(tmp_path / "a.onnx"))
    found = module.to("cuda")(images.to("cuda"))
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), module(images), atol=1e-3, rtol=1e-3)


# identity


def test_identity_is_the_content_of_the_file_not_its_path(tmp_path):
    path = toy(tmp_path / "a.onnx")
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "elsewhere").mkdir()
    moved = toy(tmp_path / "elsewhere" / "b.onnx")
    one, two = (load_encoder(onnx_recipe(p)).details() for p in (path, moved))
    assert one == two
    assert one == load_encoder(onnx_recipe(), path).details()  # given with --weights
    other = toy(tmp_path / "c.onnx", weight=WEIGHT + 1)
    assert load_encoder(onnx_recipe(other)).details() != one


def test_identity_says_output_pooling_and_channels_even_where_the_recipe_does_not(tmp_path):
    path = toy(tmp_path / "a.onnx")
    said = {"output": "pooled", "pooling": "none", "channels": "rgb"}
    found = load_encoder(onnx_recipe(path)).details()
    assert found["model_args"] == said
    assert found == load_encoder(onnx_recipe(path, model_args=said)).details()


def test_tensors_in_files_beside_the_model_count(tmp_path, images):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = toy(tmp_path / "one" / "a.onnx", external=True)
    two = toy(tmp_path / "two" / "a.onnx", external=True, weight=WEIGHT + 1)
    assert one.read_bytes() == two.read_bytes()
    assert external_files(one) == [tmp_path / "one" / "toy.data"]
    assert hash_state(OnnxModule(one)) != hash_state(OnnxModule(two))
    expected = expected_map(images).mean((2, 3))
    torch.testing.assert_close(OnnxModule(one)(images), expected, atol=1e-5, rtol=1e-5)
    (tmp_path / "one" / "toy.data").unlink()
    with pytest.raises(InputError, match=r"its tensors are in toy\.data, which is not in"):
        OnnxModule(one)


def test_external_tensors_are_found_in_branches_and_functions_too(tmp_path):
    # given a model with an external tensor at each place where the format allows one
    def tensor(location):
        found = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1])
        found.data_location = TensorProto.EXTERNAL
        found.external_data.add(key="location", value=location)
        (tmp_path / location).write_bytes(bytes(4))
        return found

    branch = helper.make_graph([], "branch", [], [], [tensor("branch.data")])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch),
        helper.make_node("Constant", [], ["z"], value=tensor("constant.data")),
    ]
    function = helper.make_function(
        "local", "F", [], ["z"], [nodes[1]], [helper.make_opsetid("", 17)]
    )
    function.node[0].attribute[0].t.CopyFrom(tensor("function.data"))
    graph = helper.make_graph(nodes, "g", [], [], [tensor("main.data")])
    sparse = graph.sparse_initializer.add()
    sparse.values.CopyFrom(tensor("sparse.data"))
    model = helper.make_model(graph, functions=[function], doc_string="x" * 300)
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    found = [path.name for path in external_files(tmp_path / "a.onnx")]
    # then the reader, which knows nothing of the onnx package, finds all
    assert found == [f"{p}.data" for p in ("branch", "constant", "function", "main", "sparse")]


# errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "token"}, r"'toy': unknown output of a\.onnx: 'token'; did you mean tokens"),
        ({"pooling": "max"}, "pooling = 'max'; wanted one of none, mean, token"),
        ({"channels": "rbg"}, "channels = 'rbg'; wanted one of rgb, bgr"),
        ({"pool": "mean"}, "unknown model_args 'pool'; known: channels, output, pooling"),
        ({"output": 1}, "output = 1; wanted text"),
        (
            {"output": "tokens"},
            r"output 'tokens' is \(1, 4, 4\); with pooling = 'none' wanted \(b, dim\)",
        ),
        ({"output": "map", "pooling": "token"}, r"is \(1, 4, 2, 2\); with pooling = 'token'"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        load_encoder(onnx_recipe(toy(tmp_path / "a.onnx"), model_args=arguments))


def test_models_that_take_no_images_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"takes images of shape \['b', 1, 8, 8\]; wanted"):
        load_encoder(onnx_recipe(toy(tmp_path / "a.onnx", channels=1)))
    with pytest.raises(InputError, match="does not take images of 16 x 16 pixels"):
        load_encoder(onnx_recipe(toy(tmp_path / "b.onnx"), preprocessing=Preprocessing(16)))


@pytest.mark.parametrize("content", [b"", b"hello, no model", os.urandom(4096), b"\x3a\x10abc"])
def test_files_that_are_no_models_are_refused(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(
        InputError, match=r"a\.onnx: (is empty|not a readable|ONNX Runtime)"
    ) as error:
        load_encoder(onnx_recipe(tmp_path / "a.onnx"))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no ONNX file at .*a\.onnx; pass one with --weights"):
        load_encoder(onnx_recipe(tmp_path / "a.onnx"))
    with pytest.raises(InputError, match=r"'onnx-imagenet' names no file; pass one with --weights"):
        load_encoder("onnx-imagenet")


def test_a_bare_file_gets_the_recipe_to_write(tmp_path):
    toy(tmp_path / "a.onnx")
    with pytest.raises(InputError, match="no recipe says how images become its input") as error:
        load_encoder(f"onnx:{tmp_path / 'a.onnx'}")
    text = error.value.example
    (tmp_path / "mine.toml").write_text(text.replace("size = 224", "size = 8"))
    assert load_encoder(str(tmp_path / "mine.toml")).dim == 4


def test_without_onnxruntime_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'clusterbench\[onnx\]'"):
        load_encoder(onnx_recipe(toy(tmp_path / "a.onnx")))


def test_the_shipped_example_runs_a_file_at_imagenets_pixels(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 32, 32), torch.nn.Flatten())
    weight = module[0].weight.detach().numpy()
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["m"], strides=[32, 32]),
            helper.make_node("Flatten", ["m"], ["y"]),
        ],
        "example",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 294])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "a.onnx")
    encoder = load_encoder("onnx-imagenet", tmp_path / "a.onnx")
    assert (encoder.dim, encoder.preprocessing.size) == (294, 224)
