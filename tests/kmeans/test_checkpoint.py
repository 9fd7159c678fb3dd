"""A checkpoint goes on to the same bits; a damaged one is not used, nothing else overwritten."""

import hashlib
import json
import os
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.kmeans.checkpoint import LAST, Checkpoint, fit_identity
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.fit import Settings, fit
from clusterbench.kmeans.lloyd import Iterations
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting.starts import Start

SETTINGS = Settings(12, Start("random"), n_init=3, seed=1)


class StoppedError(Exception):
    """Raised in the middle of a fit."""


def shard(seed=0):
    rows = np.random.default_rng(seed).normal(size=(300, 5))
    return CpuShard(ArrayRows(rows.astype(np.float32)))


def identity(settings=SETTINGS, seed=0):
    return fit_identity(settings, shard(seed).extent)


def same(found, wanted):
    np.testing.assert_array_equal(found.centroids, wanted.centroids)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert found.objectives == wanted.objectives
    assert (found.converged, found.relocated) == (wanted.converged, wanted.relocated)


def stopped(path, after, seed=0):
    """Fit until so many iterations were told of."""
    told = []

    def progress(done, total):
        told.append(done)
        if len(told) == after:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(shard(seed), SETTINGS, keeper=Checkpoint(path, identity(), every=0), progress=progress)


@pytest.fixture(scope="module")
def undisturbed():
    told = []
    found = fit(shard(), SETTINGS, progress=lambda done, total: told.append(done))
    assert len(told) > 25
    return found


@pytest.mark.parametrize("after", [1, 2, 9, 20, 25])
def test_a_stopped_fit_goes_on_to_the_same_bits(tmp_path, undisturbed, after):
    path, told = tmp_path / "new" / "state", []
    stopped(path, after)
    keeper = Checkpoint(path, identity(), every=0)
    found = fit(shard(), SETTINGS, keeper=keeper, progress=lambda done, total: told.append(done))
    same(found, undisturbed)
    whole = []
    fit(shard(), SETTINGS, progress=lambda done, total: whole.append(done))
    assert len(told) == len(whole) - after  # it did nothing twice
    keeper.remove()
    assert list(path.parent.iterdir()) == []


def test_a_fit_that_had_ended_is_read_from_its_checkpoint(tmp_path, undisturbed):
    path = tmp_path / "state"
    fit(shard(), SETTINGS, keeper=Checkpoint(path, identity(), every=0))
    told = []
    keeper = Checkpoint(path, identity())
    again = fit(shard(), SETTINGS, keeper=keeper, progress=lambda done, total: told.append(done))
    same(again, undisturbed)
    assert len(told) <= 1


def test_nothing_is_written_before_its_time(tmp_path):
    fit(shard(), SETTINGS, keeper=Checkpoint(tmp_path / "state", identity(), every=3600))
    assert list(tmp_path.iterdir()) == []


def test_the_stage_after_all_starts_needs_none_of_them(tmp_path):
    path = tmp_path / "state"
    keeper = Checkpoint(path, identity(), every=0)
    rough = Iterations(np.ones((3, 2), np.float32), [5.0, 4.0])
    keeper.save(0, rough, whole=True)
    first = Checkpoint(path, identity()).load(0)
    assert first is not None and first.objectives == rough.objectives
    keeper.save(LAST, Iterations(np.ones((3, 7), np.float32), [9.0]), whole=False)
    again = Checkpoint(path, identity())
    assert again.load(0) is None
    last = again.load(LAST)
    assert last is not None and last.centroids.shape == (3, 7) and last.objectives == [9.0]


@pytest.mark.parametrize(
    "other",
    [
        {"n_clusters": 13},
        {"seed": 2},
        {"n_init": 4},
        {"max_iter": 101},
        {"tol": 0.1},
        {"spherical": True},
        {"start": Start("k-means++")},
        {"start": Start("given", np.zeros((12, 5), np.float32))},
    ],
)
def test_every_setting_is_in_the_identity(other):
    assert identity(replace(SETTINGS, **other)) != identity()
    assert identity() == identity()
    assert fit_identity(SETTINGS, shard().extent, "other rows") != identity()
    assert identity(seed=1) != identity()


def test_the_checkpoint_of_another_fit_is_refused_and_kept(tmp_path):
    path = tmp_path / "state"
    stopped(path, 5)
    content = path.read_bytes()
    other = replace(SETTINGS, seed=7)
    keeper = Checkpoint(path, identity(other), every=0)
    with pytest.raises(InputError, match="of a fit of other rows or settings; move it away"):
        fit(shard(), other, keeper=keeper)
    assert path.read_bytes() == content


def test_rows_on_which_the_state_was_not_reached_are_found_out(tmp_path):
    path = tmp_path / "state"
    stopped(path, 5)
    keeper = Checkpoint(path, identity(), every=0)  # which claims that they are the same
    with pytest.raises(InputError, match="go on with the rows that it was reached on"):
        fit(shard(seed=1), SETTINGS, keeper=keeper)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 1000, b"clusterbench"])
def test_what_is_no_checkpoint_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "thesis.doc"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint of k-means; move it away"):
        fit(shard(), SETTINGS, keeper=Checkpoint(path, identity(), every=0))
    assert path.read_bytes() == content


def test_pipes_and_folders_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match=f"{name}: is a {name}"):
            Checkpoint(tmp_path / name, identity()).load(0)


@pytest.fixture(scope="module")
def middle(tmp_path_factory):
    path = tmp_path_factory.mktemp("middle") / "state"
    stopped(path, 20)
    return path.read_bytes()


@given(data=st.data())
def test_a_damaged_checkpoint_is_warned_of_and_not_used(tmp_path_factory, middle, data):
    path = tmp_path_factory.mktemp("damaged") / "state"
    begin = len(b"clusterbench-kmeans-checkpoint/1 ")
    if data.draw(st.booleans()):
        content = middle[: data.draw(st.integers(begin, len(middle) - 1))]
    else:
        at = data.draw(st.integers(begin, len(middle) - 1))
        flipped = middle[at] ^ (1 << data.draw(st.integers(0, 7)))
        content = middle[:at] + bytes([flipped]) + middle[at + 1 :]
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="the checkpoint is damaged; the fit begins anew"):
        assert Checkpoint(path, identity()).load(0) is None


def test_after_damage_the_fit_begins_anew_and_writes_over_it(tmp_path, undisturbed, middle):
    path = tmp_path / "state"
    path.write_bytes(middle[:-1])
    with pytest.warns(UserWarning, match="damaged"):
        found = fit(shard(), SETTINGS, keeper=Checkpoint(path, identity(), every=0))
    same(found, undisturbed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(fit(shard(), SETTINGS, keeper=Checkpoint(path, identity())), undisturbed)


def sealed(header, data):
    rest = json.dumps(header).encode() + b"\n" + data
    digest = hashlib.sha256(rest).hexdigest().encode()
    return b"clusterbench-kmeans-checkpoint/1 " + digest + b"\n" + rest


STATE = {"k": 2, "dim": 2, "objectives": [1.0], "converged": False, "relocated": 0}
HEADER = {"identity": identity(), "finished": 0, "stage": 0, "states": [STATE]}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ([], b""),
        ({}, b""),
        ({**HEADER, "identity": 3}, bytes(16)),
        ({**HEADER, "finished": -1}, bytes(16)),
        ({**HEADER, "states": []}, b""),
        ({**HEADER, "states": [STATE] * 3}, bytes(48)),
        ({**HEADER, "states": [7]}, bytes(16)),
        (HEADER, bytes(15)),
        (HEADER, bytes(17)),
        (HEADER, np.full(4, np.nan, "<f4").tobytes()),
        ({**HEADER, "states": [{**STATE, "k": -2, "dim": -2}]}, bytes(16)),
        ({**HEADER, "states": [{**STATE, "k": 2**40, "dim": 2**20}]}, bytes(16)),
        ({**HEADER, "states": [{**STATE, "objectives": []}]}, bytes(16)),
        ({**HEADER, "states": [{**STATE, "objectives": ["1"]}]}, bytes(16)),
        ({**HEADER, "states": [{**STATE, "objectives": [-1.0]}]}, bytes(16)),
    ],
)
def test_a_made_up_checkpoint_is_one_line(tmp_path, header, data):
    path = tmp_path / "state"
    path.write_bytes(sealed(header, data))
    with pytest.raises(InputError, match=r"state: ") as caught:
        Checkpoint(path, identity()).load(0)
    assert "\n" not in str(caught.value)


def test_a_state_of_another_shape_is_refused_by_the_fit(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(sealed(HEADER, bytes(16)))
    assert Checkpoint(path, identity()).load(0) is not None
    with pytest.raises(InputError, match="2 dimensions, these rows have 5"):
        fit(shard(), SETTINGS, keeper=Checkpoint(path, identity()))
