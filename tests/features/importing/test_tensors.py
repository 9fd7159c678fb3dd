"""What torch.save and safetensors write: tensors, NumPy arrays, lists; and what is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from import_toys import DIM, N, X, Y, check, make, refused
from safetensors.torch import save_file

from clusterbench import InputError
from clusterbench.features.importing import tensors
from clusterbench.features.importing.tensors import load

T, L = torch.tensor(X), torch.tensor(Y)
NAMES = [f"class {label}" for label in Y]


@pytest.mark.parametrize(
    "content",
    [
        (T, L),
        [T, L],
        (X, Y),
        (X, Y.tolist()),
        {"x": T, "y": L},
        {"X": X, "Y": Y},
        {"features": X, "labels": Y.tolist()},
        {"features": X.tolist(), "labels": tuple(Y.tolist())},
        {"features": list(T), "labels": list(L)},
        {"features": list(X), "labels": [np.int64(y) for y in Y]},
        {"features": X.astype(">f4"), "label": Y.astype(">i2"), "epoch": 3, "note": "x"},
        {"features": np.asfortranarray(X), "label": L[:, None]},
        {"features": T, "label": L.reshape(1, -1)},
        {"features": T.double().requires_grad_(), "label": L.to(torch.uint8)},
    ],
    ids=range(14),
)
def test_what_torch_saves_in_any_form(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    check(make(tmp_path / "x.pt"))


def test_arrays_of_texts_and_of_truths_are_labels(tmp_path):
    torch.save({"x": X, "y": np.array(NAMES)}, tmp_path / "x.pt")
    check(make(tmp_path / "x.pt", tmp_path / "a"), classes=NAMES)
    torch.save({"x": X, "label": Y > 1}, tmp_path / "y.pt")
    check(make(tmp_path / "y.pt", tmp_path / "b"), classes=[str(int(y > 1)) for y in Y])


@pytest.mark.parametrize("content", [X, X.tolist(), list(T), tuple(T)], ids=range(4))
def test_rows_alone(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    np.save(tmp_path / "y.npy", Y)
    check(make(tmp_path / "x.pt", labels=tmp_path / "y.npy"))


def test_safetensors(tmp_path):
    save_file({"features": T, "labels": L}, tmp_path / "x.safetensors")
    check(make(tmp_path / "x.safetensors"))
    save_file({"features": T.bfloat16()}, tmp_path / "b.safetensors")
    assert make(tmp_path / "b.safetensors", tmp_path / "b").dtype == np.float16
    none = tmp_path / "none"
    (tmp_path / "c.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    refused("not a readable .safetensors file", tmp_path / "c.safetensors", none)
    content = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "d.safetensors").write_bytes(content[:-9])
    refused("not a readable .safetensors file", tmp_path / "d.safetensors", none)


STRIDED = torch.zeros(6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (STRIDED.as_strided((500, 10**9), (0, 0)), "wanted at most"),
        (STRIDED.as_strided((10**9, 500), (0, 0)), "its rows overlap; save its contiguous"),
        (STRIDED.as_strided((2**40, 6), (0, 1)), "wanted at most"),
        (STRIDED.as_strided((4, 6), (0, 1)), "bytes of numbers: its rows overlap"),
        (T.to_sparse(), "is a sparse tensor"),
        (T.to_sparse_csr(), "is a sparse tensor"),
        (torch.empty((N, DIM), device="meta"), "on the device 'meta' and holds no numbers"),
        (torch.quantize_per_tensor(T, 0.1, 0, torch.qint8), "is a quantized tensor"),
        (T.to(torch.complex64), "holds complex64"),
        (T.to(torch.float8_e4m3fn), "holds float8_e4m3fn"),
        ({"state_dict": {"a": T}}, "wanted an array"),
        ({"features": np.zeros((3, 2), "M8[s]")}, "not of numbers or texts"),
        ([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0, 4.0]], "wanted"),
        ("text", "holds a str"),
        (3.5, "holds a float"),
        ([], "wanted"),
        ({}, "holds nothing"),
        (None, "holds a NoneType"),
    ],
    ids=range(18),
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    refused(message, tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(1).as_strided((10**12,), (0,)), "takes 4,000,000 MB"),
        (L.to_sparse(), "no plain tensor"),
        (torch.empty(N, device="meta"), "no plain tensor"),
        (torch.zeros(N, dtype=torch.complex64), "holds torch.complex64"),
        ([1, "a"] * (N // 2), "wanted a tensor or a list"),
        ({"a": 1}, "unknown column 'labels'"),
    ],
    ids=range(6),
)
def test_labels_that_are_no_plain_numbers_are_refused(tmp_path, labels, message):
    torch.save({"features": T, "labels": labels}, tmp_path / "x.pt")
    refused(message, tmp_path / "x.pt", label_column="labels")


def test_a_model_is_refused_in_its_own_words(tmp_path):
    torch.save(torch.nn.Linear(3, 2), tmp_path / "x.pt")
    refused(
        r"holds a whole model \(torch.nn.modules.linear.Linear\), which is not loaded, since that "
        "could run code; wanted the features that it gave: save them as a tensor",
        tmp_path / "x.pt",
    )


class Harmful:
    """What a pickle runs when it is loaded."""

    def __init__(self, call=(os.system, ("touch harm",))):
        self.call = call

    def __reduce__(self):
        return self.call


def numpy_pickle(kind, state):
    """An array as NumPy pickles it, with any state."""

    class Array:
        def __reduce__(self):
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state

    return Array()


@pytest.mark.parametrize(
    "content",
    [
        Harmful(),
        np.array([Harmful()], dtype=object),
        Harmful((np.load, ("x.npy",))),
        Harmful((eval, ("1 + 1",))),
        numpy_pickle(None, (1, (5,), np.dtype(object), False, [Harmful()] * 5)),
        numpy_pickle(None, (1, (5,), np.dtype(object), False, b"\x41" * 40)),
        numpy_pickle(None, (1, (10**9,), np.dtype("f4"), False, b"\0" * 40)),
        numpy_pickle(None, (1, (-1, -10), np.dtype("f4"), False, b"\0" * 40)),
        numpy_pickle(None, (1, (5,), np.dtype([("a", "O")]), False, b"\x41" * 40)),
    ],
    ids=range(9),
)
def test_no_code_is_run_whatever_calls_itself_an_array(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    torch.save({"features": content, "x": T}, "x.pt")
    refused("could run code|not a readable .pt file", tmp_path / "x.pt")
    assert not (tmp_path / "harm").exists()


def rewritten(path, method=zipfile.ZIP_STORED, pickled=None):
    """The file with other contents of its pickle, or compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            changed = pickled if pickled is not None and name.endswith("data.pkl") else content
            archive.writestr(name, changed)
    return path


def test_what_takes_memory_or_time_without_end_is_refused(tmp_path):
    torch.save({"x": T}, tmp_path / "x.pt")
    path = rewritten(tmp_path / "x.pt", zipfile.ZIP_DEFLATED)
    refused("is compressed; save it again with torch.save", path)
    torch.save({"x": T}, tmp_path / "y.pt")
    path = rewritten(tmp_path / "y.pt", pickled=b"\x80\x02" + b"]" * 1_000_100 + b".")
    refused("holds lists of too many numbers", path)
    deep = b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."
    refused("wanted", rewritten(tmp_path / "y.pt", pickled=deep))
    entries = pickle.dumps({str(number): number for number in range(20_000)}, protocol=2)
    refused("holds more than 10,000 entries", rewritten(tmp_path / "y.pt", pickled=entries))


@pytest.mark.parametrize("seed", range(120))
def test_a_damaged_file_is_read_or_refused(tmp_path, seed):
    buffer = io.BytesIO()
    torch.save({"x": T, "y": Y, "names": NAMES}, buffer)
    content, rng = bytearray(buffer.getvalue()), np.random.default_rng(seed)
    for at in rng.integers(0, len(content), rng.integers(1, 8)):
        content[at] = rng.integers(256)
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    try:
        found = tensors.open_tensor(path, None, {})
        assert found.take(np.arange(found.n)).shape == (found.n, found.dim)
    except InputError as error:
        assert "x.pt" in str(error)


def test_the_items_of_a_list_have_numbers_for_names(tmp_path):
    torch.save([T, -T, L], tmp_path / "x.pt")
    assert list(load(tmp_path / "x.pt")) == ["0", "1", "2"]
    refused("say which are the features with --array", tmp_path / "x.pt")
    check(make(tmp_path / "x.pt", array="1", label_column="2"), -X)
