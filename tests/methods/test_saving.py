"""A trained head comes back from its file as it was, and computes the same elsewhere."""

from __future__ import annotations

import json
import pickle
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

import clusterbench as cb
from clusterbench.errors import InputError, StorageError
from clusterbench.estimator import NotFittedError
from clusterbench.files import sha256_json
from clusterbench.methods import TEMI, SCANv2
from clusterbench.methods.trained.deep import DeepClusterer
from clusterbench.methods.trained.head_files import tensors_sha256

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "heads.md"
SCALINGS = ("none", "l2", "standardize", "whiten(7, 1)")
SMALL: dict[str, Any] = {
    "n_clusters": 5,
    "n_heads": 2,
    "epochs": 3,
    "batch_size": 64,
    "n_neighbors": 8,
    "learning_rate": 4e-3,
    "warmup_epochs": 1,
    "momentum": 0.9,
    "hidden": 24,
    "bottleneck": 12,
    "device": "cpu",
}


def features(n: int, seed: int) -> np.ndarray:
    """Five groups in ten dimensions, of which the last are a thousand times weaker."""
    rng = np.random.default_rng(seed)
    centers = 3.0 * np.random.default_rng(9).normal(size=(5, 10))
    X = 2.0 + centers[rng.integers(0, 5, n)] + rng.normal(size=(n, 10))
    return (X * np.geomspace(1.0, 1e-3, 10)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> dict[str, TEMI]:
    return {s: TEMI(scaling=s, **SMALL).fit(features(300, 0)) for s in SCALINGS}


@pytest.fixture(scope="module")
def saved(fitted: dict[str, TEMI], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "head.safetensors"
    fitted["standardize"].save(path)
    return path


def assert_same(found: DeepClusterer, wanted: DeepClusterer) -> None:
    X = features(100, 1)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))
    np.testing.assert_array_equal(found.predict_top(X, 3), wanted.predict_top(X, 3))
    np.testing.assert_array_equal(found.predict(X.astype("f2")), wanted.predict(X.astype("f2")))
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    assert found.labels_.dtype == np.int64
    assert found.get_params() == wanted.get_params()
    assert found.diagnostics_ == wanted.diagnostics_
    assert found.n_features_in_ == wanted.n_features_in_


class Frame:
    """As much of a DataFrame as is looked at."""

    def __init__(self, values: np.ndarray, columns: list[str]) -> None:
        self.values, self.columns, self.shape = values, columns, values.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values


class TestSaveAndLoad:
    @pytest.mark.parametrize("scaling", SCALINGS)
    def test_what_is_loaded_is_what_was_saved(
        self, scaling: str, fitted: dict[str, TEMI], tmp_path: Path
    ) -> None:
        fitted[scaling].save(tmp_path / "head.safetensors")
        assert_same(cb.methods.load(tmp_path / "head.safetensors", device="cpu"), fitted[scaling])
        assert_same(TEMI.load(str(tmp_path / "head.safetensors"), device="cpu"), fitted[scaling])

    def test_the_same_head_gives_the_same_bytes_also_when_saved_again(
        self, fitted: dict[str, TEMI], saved: Path, tmp_path: Path
    ) -> None:
        fitted["standardize"].save(tmp_path / "a")
        TEMI.load(saved, device="cpu").save(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == saved.read_bytes()
        assert (tmp_path / "b").read_bytes() == saved.read_bytes()

    def test_a_loaded_method_is_fitted_again_to_the_same(self, saved: Path) -> None:
        again = TEMI.load(saved, device="cpu")
        labels = again.labels_
        np.testing.assert_array_equal(again.fit(features(300, 0)).labels_, labels)

    def test_a_file_of_before_there_was_a_choice_of_the_head_chooses_as_then(
        self, saved: Path, tmp_path: Path
    ) -> None:
        old = changed(saved, lambda record, _: record["settings"].pop("select"))
        (tmp_path / "old").write_bytes(old)
        again = cb.methods.load(tmp_path / "old", device="cpu")
        assert again.get_params()["select"] == "loss"
        X = features(100, 1)
        wanted = TEMI.load(saved, device="cpu").predict_proba(X)
        np.testing.assert_array_equal(again.predict_proba(X), wanted)

    def test_the_device_is_the_one_asked_for(self, saved: Path) -> None:
        assert cb.methods.load(saved).device == "auto"
        with pytest.raises(InputError, match="device"):
            cb.methods.load(saved, device="abacus")

    def test_another_method_refuses_the_file(self, saved: Path) -> None:
        with pytest.raises(InputError, match=r"of the method 'temi', not of 'scanv2'"):
            SCANv2.load(saved)

    def test_names_of_columns_are_kept(self, tmp_path: Path) -> None:
        frame = Frame(features(300, 0), [f"c{i}" for i in range(10)])
        scan = SCANv2(**SMALL).fit(frame)
        scan.save(tmp_path / "head")
        again = cb.methods.load(tmp_path / "head", device="cpu")
        assert isinstance(again, SCANv2)
        np.testing.assert_array_equal(again.feature_names_in_, scan.feature_names_in_)
        with pytest.raises(InputError, match="feature names"):
            again.predict(Frame(frame.values, frame.columns[::-1]))

    def test_what_is_not_fitted_or_smoothed_is_not_saved(self, tmp_path: Path) -> None:
        with pytest.raises(NotFittedError):
            TEMI(**SMALL).save(tmp_path / "head")
        smoothed = TEMI(smooth_neighbors=4, **SMALL).fit(features(300, 0))
        for write in (smoothed.save, smoothed.export):
            with pytest.raises(InputError, match=r"smooth_neighbors=4 .* smooth_neighbors=0"):
                write(tmp_path / "head")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_there_is_replaced_and_a_folder_is_not(
        self, fitted: dict[str, TEMI], saved: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "head").write_text("old")
        fitted["standardize"].save(tmp_path / "head")
        assert (tmp_path / "head").read_bytes() == saved.read_bytes()
        (tmp_path / "folder" / "x").mkdir(parents=True)
        with pytest.raises(StorageError, match="a folder stands there"):
            fitted["standardize"].save(tmp_path / "folder")

    @pytest.mark.cuda
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_on_a_gpu(self, tmp_path: Path) -> None:
        temi = TEMI(**{**SMALL, "device": "cuda"}).fit(features(300, 0))
        temi.save(tmp_path / "head")
        assert_same(TEMI.load(tmp_path / "head", device="cuda"), temi)


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, np.ndarray]], Any]) -> bytes:
    """The file with another record or other tensors, signed again: only their content is wrong."""
    content, tensors = record_of(path), load_file(path)
    change(content["record"], tensors)
    content["record"]["tensors_sha256"] = tensors_sha256(tensors)
    return signed(content, tensors)


def signed(content: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    content["sha256"] = sha256_json(content["record"])
    return save(tensors, {"clusterbench": json.dumps(content)})


def record_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    found: dict[str, Any] = json.loads(header["__metadata__"]["clusterbench"])
    return found


def with_record(text: str) -> bytes:
    return save({"x": np.zeros(1)}, {"clusterbench": text})


def put(name: str, value: Any) -> Callable[..., Any]:
    return lambda record, tensors: record.__setitem__(name, value)


def put_setting(name: str, value: Any) -> Callable[..., Any]:
    return lambda record, tensors: record["settings"].__setitem__(name, value)


def put_tensor(name: str, of: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    return lambda record, tensors: tensors.__setitem__(name, of(tensors[name]))


def with_first(value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def of(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[0] = value
        return array

    return of


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "unknown method": (put("method", "tmei"), "unknown method 'tmei'; did you mean temi"),
    "headless method": (put("method", "kmeans"), "'kmeans', which has no head"),
    "method that is none": (put("method", "os:system"), "unknown method"),
    "method of another type": (put("method", 3), "method = 3 should be a text"),
    "later version": (put("method_version", 10**6), "is of version 1000000 of 'temi'"),
    "missing key": (lambda record, _: record.pop("settings"), "the key 'settings' is missing"),
    "further key": (put("run", "rm"), "unknown key 'run'"),
    "settings that are a list": (put("settings", []), "settings = .* should be a table"),
    "further setting": (put_setting("tau", 1), "which has no tau"),
    "setting of another type": (put_setting("hidden", "24"), "hidden='24' should be"),
    "setting out of range": (put_setting("beta", -1), "beta=-1 should be"),
    "unhashable setting": (put_setting("decay", {}), "decay={} should be"),
    "other width": (put_setting("hidden", 10**15), r"weight_1 is float32 \(1, 10, 24\)"),
    "smoothed": (put_setting("smooth_neighbors", 3), "smooth_neighbors is above 0"),
    "dimension": (put("n_features_in", 11), r"mean is float32 \(10,\); wanted float32 \(11,\)"),
    "no dimension": (put("n_features_in", 0), "n_features_in = 0 is not in"),
    "true dimension": (put("n_features_in", True), "should be a whole number"),
    "few names": (put("feature_names_in", ["a"]), "has 1 names"),
    "names of numbers": (put("feature_names_in", list(range(10))), "should be a list"),
    "NaN": (put_tensor("head.weight_2", with_first(np.nan)), "weight_2 holds NaN"),
    "infinite mean": (put_tensor("scaling.mean", with_first(np.inf)), "mean holds NaN or inf"),
    "zero deviation": (put_tensor("scaling.deviation", with_first(0)), "not above 0"),
    "float64 weights": (put_tensor("head.gain", lambda a: a.astype("f8")), "gain is float64"),
    "weights of integers": (put_tensor("head.gain", lambda a: a.view("i4")), "gain is int32"),
    "flat weights": (put_tensor("head.weight_1", np.ravel), r"weight_1 is float32 \(240,\)"),
    "missing tensor": (lambda _, t: t.pop("head.bias_1"), "has the arrays"),
    "further tensor": (lambda _, t: t.update({"x": t["labels"]}), "has the arrays labels, x"),
    "no labels": (lambda _, t: t.pop("labels"), "has the arrays none; wanted labels"),
    "empty labels": (put_tensor("labels", lambda a: a[:0]), r"labels are not all in 0\.\.4"),
    "label K": (put_tensor("labels", with_first(5)), r"labels are not all in 0\.\.4"),
    "label -1": (put_tensor("labels", with_first(-1)), r"labels are not all in 0\.\.4"),
    "many tensors": (
        lambda _, t: t.update({f"{i}": np.zeros(1, "f4") for i in range(99)}),
        "holds 108 tensors",
    ),
    "other scaling": (put_setting("scaling", "l2"), "has the arrays deviation, mean; wanted none"),
}


class TestHostileFiles:
    @pytest.mark.parametrize("name", WRONG)
    def test_wrong_content_is_one_clear_line(self, name: str, saved: Path, tmp_path: Path) -> None:
        change, message = WRONG[name]
        (tmp_path / "head").write_bytes(changed(saved, change))
        with pytest.raises(InputError, match=message) as caught:
            cb.methods.load(tmp_path / "head", device="cpu")
        assert str(caught.value).startswith(str(tmp_path / "head"))

    def test_without_a_change_the_signing_makes_the_same_file(self, saved: Path) -> None:
        assert changed(saved, lambda record, tensors: None) == saved.read_bytes()

    @pytest.mark.parametrize(
        ("basis", "message"),
        [
            (lambda t: t["scaling.basis"] + 0.5, "not of whole numbers"),
            (lambda t: t["scaling.basis"] * 2.0**30, "not of whole numbers up to"),
            (lambda t: t["scaling.basis"][:, :0], "has 0 components; wanted 1 to 7"),
            (lambda t: np.tile(t["scaling.basis"], 2), "has 14 components"),
            (lambda t: t["scaling.basis"][0, 0], "has 0 components"),
        ],
    )
    def test_whitening(
        self, basis: Any, message: str, fitted: dict[str, TEMI], tmp_path: Path
    ) -> None:
        fitted["whiten(7, 1)"].save(tmp_path / "head")
        change = lambda record, t: t.update({"scaling.basis": np.asarray(basis(t))})  # noqa: E731
        (tmp_path / "head").write_bytes(changed(tmp_path / "head", change))
        with pytest.raises(InputError, match=message):
            cb.methods.load(tmp_path / "head")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "has 0 bytes"),
            (b"abc", "has 3 bytes"),
            (pickle.dumps({"weight": 1}) + bytes(40), "no saved head"),
            (struct.pack("<Q", 2**63) + b"{}", "a header of 9,223,372,036,854,775,808 bytes"),
            (struct.pack("<Q", 2**20) + b"{}", "no readable safetensors file"),
            (struct.pack("<Q", 2) + b"[]", "no readable safetensors file"),
            (save({"x": np.zeros(3)}), "a safetensors file, but no head of clusterbench"),
            (with_record("{"), "not whole JSON"),
            (with_record("[" * 10**5), "not whole JSON"),
            (with_record("[1]"), "is a list; wanted an object"),
            (with_record("{}"), "has no 'format'"),
            (with_record('{"format": NaN}'), "not whole JSON"),
            (with_record('{"format": 1}'), "format is 1; wanted str"),
            (
                with_record('{"format": "clusterbench-head/2"}'),
                "format 'clusterbench-head/2'; this version of clusterbench reads",
            ),
            (with_record("[" + "0," * 2_000_001 + "0]"), "values; a saved head has"),
        ],
        ids=range(15),
    )
    def test_other_files(self, content: bytes, message: str, tmp_path: Path) -> None:
        (tmp_path / "head").write_bytes(content)
        with pytest.raises(InputError, match=message):
            cb.methods.load(tmp_path / "head")

    def test_no_file_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such file"):
            cb.methods.load(tmp_path / "head")
        with pytest.raises(InputError, match="is a folder"):
            cb.methods.load(tmp_path)

    def test_a_dtype_that_numpy_lacks(self, saved: Path, tmp_path: Path) -> None:
        from safetensors.torch import save_file as save_torch

        text = {"clusterbench": json.dumps(record_of(saved))}
        save_torch({"head.gain": torch.ones(1, 1, 5, dtype=torch.bfloat16)}, tmp_path / "h", text)
        with pytest.raises(InputError):
            cb.methods.load(tmp_path / "h")

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(data=st.data())
    def test_damage_anywhere_is_found(
        self, data: st.DataObject, fitted: dict[str, TEMI], saved: Path, tmp_path: Path
    ) -> None:
        content = bytearray(saved.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            del content[place:]
        else:
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        (tmp_path / "head").write_bytes(content)
        try:
            found = cb.methods.load(tmp_path / "head", device="cpu")
        except InputError:
            return
        assert_same(found, fitted["standardize"])  # a blank of the header became another one

    def test_what_could_not_be_read_back_is_not_written(self, saved: Path, tmp_path: Path) -> None:
        temi = TEMI.load(saved, device="cpu")
        temi.diagnostics_ = {"log": ["x" * 900_000] * 20}
        with pytest.raises(InputError, match="header"):
            temi.save(tmp_path / "head")
        assert list(tmp_path.iterdir()) == []


def unusual(X: np.ndarray) -> np.ndarray:
    """Rows of zeros, of tiny and of large numbers, the mean, and usual ones."""
    return np.concatenate([0 * X[:1], X.mean(0)[None], 1e-30 * X[:5], 1e6 * X[5:10], X[10:]])


class TestExport:
    @pytest.mark.parametrize("scaling", SCALINGS)
    def test_plain_torch_as_documented_gives_the_same(
        self,
        scaling: str,
        fitted: dict[str, TEMI],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        temi = fitted[scaling]
        temi.export(tmp_path / "head")
        blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.M | re.S)
        (code,) = (block for block in blocks if "load_file" in block)
        assert "clusterbench" not in code
        monkeypatch.chdir(tmp_path)
        names: dict[str, Any] = {}
        exec(code, names)
        X = unusual(features(400, 2))
        logits = names["logits"](torch.from_numpy(X))
        probability = (logits / names["config"]["temperature"]).softmax(1).numpy()
        np.testing.assert_array_equal(logits.argmax(1).numpy(), temi.predict(X))
        np.testing.assert_allclose(probability, temi.predict_proba(X), rtol=0, atol=1e-5)

    def test_the_config_says_what_the_tensors_are(
        self, fitted: dict[str, TEMI], tmp_path: Path
    ) -> None:
        fitted["whiten(7, 1)"].export(tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        shapes = {n: t.shape for n, t in load_file(tmp_path / "head.safetensors").items()}
        dim, width, hidden, bottleneck, k = (
            config[n] for n in ("dim", "scaled_dim", "hidden", "bottleneck", "n_clusters")
        )
        assert (dim, width, hidden, bottleneck, k) == (10, 7, 24, 12, 5)
        assert shapes == {
            "hidden.weight": (hidden, width),
            "hidden.bias": (hidden,),
            "bottleneck.weight": (bottleneck, hidden),
            "bottleneck.bias": (bottleneck,),
            "clusters.weight": (k, bottleneck),
            "scaling.mean": (dim,),
            "scaling.basis": (dim, width),
            "scaling.factors": (width,),
        }

    @pytest.mark.parametrize("scaling", SCALINGS)
    def test_onnx_gives_the_same(
        self, scaling: str, fitted: dict[str, TEMI], tmp_path: Path
    ) -> None:
        temi, path = fitted[scaling], tmp_path / "head.onnx"
        temi.export(path)
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
        session = onnxruntime.InferenceSession(str(path))
        X = unusual(features(400, 2))
        for rows in (X, X[:1]):
            cluster, probability = session.run(["cluster", "probability"], {"features": rows})
            assert cluster.dtype == np.int64 and probability.dtype == np.float32
            np.testing.assert_array_equal(cluster, temi.predict(rows))
            np.testing.assert_allclose(probability, temi.predict_proba(rows), rtol=0, atol=1e-5)

    def test_a_loaded_head_exports_the_same_files(
        self, fitted: dict[str, TEMI], saved: Path, tmp_path: Path
    ) -> None:
        again = cb.methods.load(saved, device="cpu")
        for name in ("a.onnx", "folder"):
            fitted["standardize"].export(tmp_path / "1" / name)
            again.export(tmp_path / "2" / name)
        for name in ("a.onnx", "folder/head.safetensors", "folder/config.json"):
            assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()

    def test_without_the_package_onnx_the_extra_is_named(
        self, fitted: dict[str, TEMI], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(InputError, match=r"pip install 'clusterbench\[onnx\]'"):
            fitted["none"].export(tmp_path / "head.onnx")
        fitted["none"].export(tmp_path / "head")

    def test_not_fitted(self, tmp_path: Path) -> None:
        with pytest.raises(NotFittedError):
            TEMI(**SMALL).export(tmp_path / "head.onnx")
