"""HDF5 files of other people, and MATLAB's: what they hold beside floats in a plain dataset."""

import h5py
import numpy as np
import pytest
import scipy.io
from import_toys import N, X, Y, check, make, refused

from clusterbench.features.importing import Request, plan_import

NAMES = [f"Größe {label}" for label in Y]


def hdf5(path, label, dtype=None, features=X):
    with h5py.File(path, "w") as file:
        file["features"] = features
        file.create_dataset("label", data=label, dtype=dtype)
    return path


@pytest.mark.parametrize("length", [9, 20])
def test_labels_of_fixed_length_are_utf8(tmp_path, length):
    kind = h5py.string_dtype("utf-8", length)
    texts = np.array([name.encode() for name in NAMES], dtype=kind)
    check(make(hdf5(tmp_path / "x.h5", texts, kind)), classes=NAMES)


def test_labels_of_ascii_and_of_any_length(tmp_path):
    ascii_ = np.array([f"c{label}".encode() for label in Y])
    check(make(hdf5(tmp_path / "a.h5", ascii_), tmp_path / "a"), classes=[f"c{y}" for y in Y])
    path = hdf5(tmp_path / "b.h5", NAMES, h5py.string_dtype())
    check(make(path, tmp_path / "b"), classes=NAMES)


def test_enumerations_are_their_names_and_truths_are_numbers(tmp_path):
    names = {"ant": 3, "bee": 0, "cow": 1, "dog": 2, "eel": 4}
    kind = h5py.enum_dtype(names, basetype="i1")
    by_number = {number: name for name, number in names.items()}
    path = hdf5(tmp_path / "x.h5", Y.astype("i1"), kind)
    check(make(path, tmp_path / "a"), classes=[by_number[y] for y in Y])
    path = hdf5(tmp_path / "y.h5", Y > 1)
    check(make(path, tmp_path / "b"), classes=[str(int(y > 1)) for y in Y])


@pytest.mark.parametrize("shape", [(N, 1), (1, N)])
def test_labels_in_a_column_or_a_row(tmp_path, shape):
    check(make(hdf5(tmp_path / "x.h5", Y.reshape(shape))))


@pytest.mark.parametrize(
    "features", [X.astype(">f4"), X.astype("f8"), X.astype(">f8")], ids=range(3)
)
def test_numbers_of_any_width_and_order(tmp_path, features):
    check(make(hdf5(tmp_path / "x.h5", Y.astype(">i2"), features=features)))


@pytest.mark.parametrize(
    "settings",
    [
        {"compression": "lzf", "shuffle": True},
        {"compression": "gzip", "fletcher32": True, "chunks": (7, 2)},
        {"scaleoffset": 12},
        {"maxshape": (None, None)},
    ],
    ids=str,
)
def test_filters_that_hdf5_has(tmp_path, settings):
    features = np.round(X, 2)
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file.create_dataset("features", data=features, **settings)
    store = make(tmp_path / "x.h5")
    np.testing.assert_allclose(np.sort(store.read(), 0), np.sort(features, 0), atol=1e-3)


def test_a_file_that_someone_holds_open_is_read(tmp_path):
    hdf5(tmp_path / "x.h5", Y).touch()
    with h5py.File(tmp_path / "x.h5", "r+"):
        check(make(tmp_path / "x.h5"))


def test_links_within_the_file_and_groups_within_themselves(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("run/final")
        group["up"] = file["/"]
        group["a"], group["b"], group["t"] = -X, X, Y
        file["features"] = h5py.SoftLink("/run/final/b")
        file["run/labels"] = h5py.SoftLink("final/t")
    check(make(tmp_path / "x.h5"))
    check(make(tmp_path / "x.h5", tmp_path / "a", array="run/final/a"), -X)
    check(make(tmp_path / "x.h5", tmp_path / "b", array="features"))


def test_a_store_is_not_imported_by_its_view(tmp_path):
    store = make(hdf5(tmp_path / "x.h5", Y))
    refused("'features': is a view .* a feature store needs no import", store.path / "features.h5",
            tmp_path / "n")  # fmt: skip


# MATLAB


def cells(texts):
    found = np.empty((len(texts), 1), dtype=object)
    found[:, 0] = texts
    return found


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (Y, None),
        (Y[:, None].astype(float), None),
        (cells(NAMES), NAMES),
        (np.array([f"c{y}" for y in Y]), [f"c{y}" for y in Y]),
        (Y > 1, [str(int(y > 1)) for y in Y]),
    ],
    ids=["row", "doubles", "cells", "characters", "logical"],
)
def test_matlab_files_of_version_5(tmp_path, compress, labels, classes):
    content = {"features": X.astype(float), "label": labels, "note": "made today"}
    scipy.io.savemat(tmp_path / "x.mat", content, do_compression=compress)
    check(make(tmp_path / "x.mat"), classes=classes)


def test_matlab_whole_numbers_and_single_features(tmp_path):
    whole = np.arange(N * 3, dtype=float).reshape(N, 3)  # MATLAB stores such doubles as integers
    scipy.io.savemat(tmp_path / "x.mat", {"fea": whole, "gnd": Y[:, None] + 1.0})
    check(make(tmp_path / "x.mat", label_column="gnd"), whole, [str(y + 1) for y in Y])


def matlab73(path, cell=False):
    """A file as MATLAB writes it with -v7.3: transposed, texts as numbers, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["features"] = X.T
        file["features"].attrs["MATLAB_class"] = np.bytes_("single")
        if not cell:
            file["label"] = Y[None, :].astype(float)
            file["label"].attrs["MATLAB_class"] = np.bytes_("double")
            return path
        references = file.create_dataset("label", (1, N), h5py.ref_dtype)
        references.attrs["MATLAB_class"] = np.bytes_("cell")
        for row, name in enumerate(NAMES):
            codes = np.frombuffer(name.encode("utf-16-le"), "<u2")[:, None]
            text = file.create_dataset(f"#refs#/{row}", data=codes)
            text.attrs["MATLAB_class"] = np.bytes_("char")
            references[0, row] = text.ref
    with path.open("r+b") as handle:
        handle.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("cell", [False, True])
def test_matlab_files_of_version_7_3(tmp_path, cell):
    check(make(matlab73(tmp_path / "x.mat", cell)), classes=NAMES if cell else None)


def test_samples_in_columns_get_a_hint(tmp_path):
    scipy.io.savemat(tmp_path / "x.mat", {"features": X.T, "label": Y})
    refused(
        r"holds 60 labels; .* has 7 rows of features; wanted one for each row; the features lie as "
        r"\(7, 60\): save them transposed",
        tmp_path / "x.mat",
    )


def test_cells_that_refer_elsewhere_are_refused(tmp_path):
    path = matlab73(tmp_path / "x.mat", cell=True)
    with h5py.File(path, "r+") as file:
        del file["#refs#/5"]
        file.create_dataset("#refs#/5", (3, 1), "u2", external=[("/etc/passwd", 0, 6)])
        file["label"][0, 5] = file["#refs#/5"].ref
    refused("lies outside the file, in /etc/passwd", path)


# NumPy


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_in_fortran_order(tmp_path, save):
    save(tmp_path / "x.npz", x=np.asfortranarray(X), y=Y)
    check(make(tmp_path / "x.npz"))


def test_arrays_left_out_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=Y, mean=X.mean(0), cluster=Y)
    plan = plan_import(Request(tmp_path / "x.npz", name="e"))
    assert plan.left_out == {"features": ("mean", "cluster (predictions)")}
