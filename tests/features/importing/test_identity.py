"""An import is known by the content of its files; what is there already is not written again."""

import hashlib

import numpy as np
import pytest
from import_toys import X, Y, make, write

from clusterbench import FeatureStore, InputError
from clusterbench.features.importing import Request, plan_import, write_import


@pytest.fixture
def request_(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    return Request(write(tmp_path / "x.npy"), name="enc", labels=tmp_path / "y.npy")


def test_details_name_the_files_and_their_content(tmp_path, request_):
    store, _ = write_import(plan_import(request_), tmp_path / "s")
    files = store.fields["details"]["files"]
    digest = hashlib.sha256((tmp_path / "x.npy").read_bytes()).hexdigest()
    assert files["features"] == {"name": "x.npy", "sha256": digest}
    assert str(tmp_path) not in str(store.fields)


def test_the_column_read_is_named(tmp_path):
    files = make(write(tmp_path / "x.npz", label=Y)).fields["details"]["files"]
    assert (files["features"]["array"], files["labels"]["array"]) == ("features", "label")


def test_the_same_files_elsewhere_make_the_same_store(tmp_path, request_):
    first, _ = write_import(plan_import(request_), tmp_path / "s")
    (tmp_path / "moved").mkdir()
    np.save(tmp_path / "moved" / "y.npy", Y)
    second = make(write(tmp_path / "moved" / "x.npy"), labels=tmp_path / "moved" / "y.npy")
    assert first.identity == second.identity
    for file in sorted(first.path.iterdir()):
        assert file.read_bytes() == (second.path / file.name).read_bytes(), file.name


def test_importing_again_writes_nothing(tmp_path, request_):
    plan = plan_import(request_)
    store, fresh = write_import(plan, tmp_path / "s")
    times = {path: path.stat().st_mtime_ns for path in store.path.iterdir()}
    again, wrote = write_import(plan_import(request_), tmp_path / "s")
    assert (fresh, wrote, again.identity) == (True, False, store.identity)
    assert times == {path: path.stat().st_mtime_ns for path in store.path.iterdir()}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda p: write(p / "x.npy", X + 1), r"details\.files\.features\.sha256: found"),
        (lambda p: np.save(p / "y.npy", Y[::-1]), r"details\.files\.labels\.sha256: found"),
    ],
)
def test_a_store_of_other_files_is_refused_and_stays(tmp_path, request_, change, field):
    store, _ = write_import(plan_import(request_), tmp_path / "s")
    before = store.read()
    change(tmp_path)
    with pytest.raises(InputError, match=f"s holds other features: {field}"):
        write_import(plan_import(request_), tmp_path / "s")
    np.testing.assert_array_equal(FeatureStore.open(tmp_path / "s").read(), before)


def test_the_folder_of_an_unfinished_extraction_is_refused(tmp_path, request_):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "extraction.json").write_text("{}")
    with pytest.raises(InputError, match="unfinished extraction"):
        write_import(plan_import(request_), tmp_path / "s")


def test_no_temporary_file_stays(tmp_path):
    folder = tmp_path / "out"
    make(write(tmp_path / "x.npz", label=Y), folder / "s")
    assert [path.name for path in folder.iterdir()] == ["s"]


def test_progress_runs_to_twice_the_bytes(tmp_path, request_):
    seen = []
    write_import(plan_import(request_), tmp_path / "s", lambda *at: seen.append(at))
    assert seen[-1] == (2 * X.nbytes, X.nbytes)
