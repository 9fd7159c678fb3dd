import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmark_toys import MemoryStore, clustered_features, make_index
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.difficulty.class_ranking import (
    ClassRanking,
    RankingColumn,
    RankingSettings,
)
from clusterbench.benchmarks.difficulty.rank_classes import (
    default_images_per_class,
    fold_of,
    rank_classes,
)
from clusterbench.benchmarks.difficulty.ranking_file import (
    ranking_sha256,
    read_ranking,
    write_ranking,
)
from clusterbench.benchmarks.sampling import text_priorities
from clusterbench.errors import InputError

SETTINGS = RankingSettings(seed=0, images_per_class=9, n_neighbors=8)


def make_ranking(*counts, same=None, names=None):
    """Columns alternate between kNN and a probe of encoders e0, e1, ..."""
    names = names or tuple(f"c{i:03d}" for i in range(len(counts[0])))
    columns = []
    for number, correct in enumerate(counts):
        measure = ("knn", "probe")[number % 2]
        neighbours = np.asarray(same if same is not None else correct) if number % 2 == 0 else None
        columns.append(
            RankingColumn(
                f"e{number // 2}", f"{number // 2}" * 64, measure, np.asarray(correct), neighbours
            )
        )
    return ClassRanking("a" * 64, SETTINGS, names, tuple(columns))


def three_levels(seed=0, encoders=("one", "two")):
    """Four easy classes, four middling and four hard ones, of unequal sizes."""
    index = make_index(np.arange(12) % 3 * 4 + 12, 4)
    stores = [
        MemoryStore(clustered_features(index, np.repeat([0.1, 0.8, 6.0], 4), seed=i), name)
        for i, name in enumerate(encoders)
    ]
    return Pool(index, seed), stores


def test_ranks_are_averaged_over_columns_and_ties_share_their_places():
    ranking = make_ranking([9, 5, 5, 1], [0, 8, 4, 2])
    # kNN: 1, 2.5, 2.5, 4; probe: 4, 1, 2, 3
    assert ranking.mean_rank(ranking.classes).tolist() == [2.5, 1.75, 2.25, 3.5]
    assert ranking.rank_sums(ranking.classes).tolist() == [10, 7, 9, 14]
    # among some classes, the others do not count
    assert ranking.mean_rank(["c003", "c001"]).tolist() == [2.0, 1.0]
    assert ranking.accuracy("probe", ["c001", "c003"]).tolist() == [8 / 9, 2 / 9]


def test_ties_are_broken_by_neighbours_then_by_the_given_order():
    ranking = make_ranking([2, 2, 2], [2, 2, 2], same=[4, 9, 4])
    assert ranking.order(ranking.classes, np.array([7, 0, 1])).tolist() == [1, 2, 0]
    assert ranking.order(ranking.classes, np.array([0, 0, 1])).tolist() == [1, 0, 2]


counts = st.integers(2, 12).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), min_size=1, max_size=4)
)


@given(counts, st.data())
def test_ranks_agree_with_scipy_and_the_order_with_the_mean_rank(columns, data):
    from scipy.stats import rankdata

    ranking = make_ranking(*columns)
    some = data.draw(st.lists(st.sampled_from(ranking.classes), min_size=1, unique=True))
    at = [ranking.classes.index(name) for name in some]
    wanted = np.mean([rankdata(-np.array(c)[at]) for c in columns], axis=0)
    mean = ranking.mean_rank(some)
    assert np.allclose(mean, wanted)
    order = ranking.order(some, np.arange(len(some)))
    assert (np.diff(mean[order]) >= 0).all()
    assert sorted(order) == list(range(len(some)))


@given(counts)
def test_a_class_that_beats_another_everywhere_is_ranked_before_it(columns):
    ranking = make_ranking(*columns)
    place = np.argsort(ranking.order(ranking.classes, np.zeros(len(ranking.classes))))
    table = np.array(columns).T
    for a, first in enumerate(table):
        for b, second in enumerate(table):
            if (first > second).all():
                assert place[a] < place[b]


def test_columns_of_some_encoders():
    ranking = make_ranking([1, 2], [3, 4], [5, 6], [7, 8])
    assert ranking.encoders == ("e0", "e1")
    assert [c.measure for c in ranking.of_encoders(["e1"]).columns] == ["knn", "probe"]
    with pytest.raises(InputError, match="unknown encoder of the ranking 'e2'; did you mean"):
        ranking.of_encoders(["e2"])
    with pytest.raises(InputError, match="unknown ranked class 'c009'; did you mean"):
        ranking.mean_rank(["c009"])


@given(st.integers(0, 99), st.integers(2, 5))
def test_folds_hold_equally_many_images_of_each_class(seed, folds):
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = rng.permutation(np.repeat(np.arange(4), [5, 6, 7, 11]))
    order = rng.permutation(len(labels))
    found = fold_of(labels, order, folds)
    for label in range(4):
        sizes = np.bincount(found[labels == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
        best = np.flatnonzero(labels == label)[np.argmin(order[labels == label])]
        assert found[best] == 0


def test_rank_classes_tells_easy_from_hard_on_train_rows_alone():
    pool, stores = three_levels()
    ranking = rank_classes(pool, stores, 12)
    assert [(c.encoder, c.measure) for c in ranking.columns] == [
        ("one", "knn"),
        ("one", "probe"),
        ("two", "knn"),
        ("two", "probe"),
    ]
    order = ranking.order(ranking.classes, np.arange(12))
    assert set(order[:4]) == {0, 1, 2, 3}
    assert set(order[8:]) == {8, 9, 10, 11}
    for measure in ("knn", "probe"):
        accuracy = ranking.accuracy(measure, ranking.classes)
        assert accuracy[:4].min() > 0.9
        assert accuracy[8:].max() < 0.6
    for store in stores:
        assert len(store.seen) == 12 * 12
        assert (pool.index.split[store.seen] == 0).all()


def test_val_images_cannot_change_a_ranking():
    pool, stores = three_levels(encoders=("one",))
    first = rank_classes(pool, stores, 10)
    stores[0].features[pool.index.split == 1] = np.nan
    assert ranking_sha256(rank_classes(pool, stores, 10)) == ranking_sha256(first)


def test_the_ranking_is_the_one_of_every_machine():
    index = make_index([6, 9, 7, 8, 5, 6], 2)
    # Numbers without a generator of random ones, whose streams may change: 2 dimensions of a
    # class's hash and 14 of an image's.
    names = [f"{c}/{d}" for c in index.class_names for d in range(16)]
    classes = (text_priorities(names, 0) >> np.uint64(48)).reshape(6, 16).astype(np.int64)
    names = [f"{i}/{d}" for i in index.ids for d in range(16)]
    features = (text_priorities(names, 1) >> np.uint64(48)).reshape(index.n, 16).astype(np.int64)
    features[:, :2] = 2 * classes[index.labels, :2]
    store = MemoryStore((features - 2**15).astype(np.float32))
    ranking = rank_classes(Pool(index, 0), [store], 6)
    assert {c.measure: c.correct.tolist() for c in ranking.columns} == {
        "knn": [6, 6, 1, 1, 1],
        "probe": [6, 5, 3, 2, 1],
    }
    assert (
        ranking_sha256(ranking)
        == "3a76df700239cb97a81e33afa81725a52c36334a0840a9a22ebb717c381738f7"
    )


@pytest.mark.slow
def test_other_instruction_sets_and_threads_give_the_same_ranking():
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_class_ranking import *\n"
        "print(ranking_sha256(rank_classes(*three_levels(), 10)))"
    )
    oldest = {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "OMP_NUM_THREADS": "3",
    }
    here = Path(__file__).parent
    result = subprocess.run(
        [sys.executable, "-c", script, str(here), str(here.parents[1] / "toys")],
        env={**os.environ, **oldest},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ranking_sha256(rank_classes(*three_levels(), 10))


def test_defaults_suit_the_sizes():
    pool, stores = three_levels()
    assert default_images_per_class(pool) == 16
    ranking = rank_classes(pool, stores[:1])
    assert (ranking.settings.images_per_class, ranking.settings.n_neighbors) == (16, 15)
    assert len(ranking.classes) == 8


def test_data_that_cannot_be_ranked_is_refused():
    pool, stores = three_levels()
    with pytest.raises(InputError, match="0 of 12 classes have images_per_class=21 training"):
        rank_classes(pool, stores, 21)
    with pytest.raises(InputError, match="images_per_class=2 should be >= folds=3"):
        rank_classes(pool, stores, 2)
    with pytest.raises(InputError, match="encoders one, one: wanted some, each once"):
        rank_classes(pool, [stores[0], stores[0]], 9)
    with pytest.raises(InputError, match="encoders none"):
        rank_classes(pool, [], 9)


def test_a_file_gives_the_ranking_back(tmp_path):
    path = tmp_path / "easiness.json"
    for ranking in (
        make_ranking([9, 5, 5], [0, 8, 4], names=("a", 'quote"\\', "日本")),
        make_ranking([3, 4]),
        rank_classes(*three_levels(), 10),
    ):
        write_ranking(ranking, path)
        again = read_ranking(path)
        assert (again.classes, again.settings) == (ranking.classes, ranking.settings)
        assert again.index_hash == ranking.index_hash
        assert ranking_sha256(again) == ranking_sha256(ranking)
        assert json.loads(path.read_text())["sha256"] == ranking_sha256(ranking)
        for old, new in zip(ranking.columns, again.columns, strict=True):
            assert old.correct.tolist() == new.correct.tolist()
            assert (old.same is None) == (new.same is None)
    assert list(tmp_path.iterdir()) == [path]


DAMAGE = [
    ('"seed": 0', '"seed": 1', "was edited or damaged"),
    ('"c001": [[8,7],[8]]', '"c001": [[9,7],[8]]', "was edited or damaged"),
    ('"seed": 0', '"seed": true', "seed is of type bool; wanted int"),
    ('"seed": 0', '"seeds": 0', "unknown key 'seeds'; did you mean seed"),
    ('"seed": 0', '"seed": 0, "seed": 1', "the key 'seed' occurs twice"),
    ('"folds": 3,', "", "the key 'folds' is missing"),
    ("ranking/1", "ranking/2", "format 'clusterbench-ranking/2'; wanted 'clusterbench-ranking/1'"),
    ('"sha256": "', '"sha256": "x', "should be 64 hexadecimal digits"),
    ("\n}\n", "", "not whole JSON"),
    ('"l2":1e-05', '"l2":NaN', "not whole JSON"),
]


@pytest.mark.parametrize(("old", "new", "message"), DAMAGE)
def test_a_damaged_file_is_refused_by_name_and_fault(tmp_path, old, new, message):
    path = tmp_path / "easiness.json"
    write_ranking(make_ranking([9, 8], [9, 7]), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_ranking(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["classes"].update(c000=[[1, 2]]), "should be two lists, of 2 and 1 counts"),
        (lambda t: t["classes"].update(c000=[[1, 2.0], [3]]), "should hold whole numbers"),
        (lambda t: t["classes"].update(c000=[[1, -2], [3]]), "should hold whole numbers"),
        (lambda t: t["classes"].update(c000=[[10, 2], [3]]), "10 images are recognised, of 9"),
        (lambda t: t.update(classes={}), "0 ranked classes should be some"),
        (lambda t: t.update(columns=[]), "should be two lists, of 0"),
        (lambda t: t["columns"][1].update(measure="svm"), "unknown measure 'svm'"),
        (lambda t: t["columns"][0].update(extra=1), r"columns\[0\]: unknown key 'extra'"),
        (lambda t: t["probe"].update(steps=0), "steps=0 should be >= 1"),
        (lambda t: t.update(folds=10), "images_per_class=9 should be >= folds=10"),
    ],
)
def test_a_file_with_a_sound_hash_is_still_checked(tmp_path, change, message):
    from clusterbench.files import sha256_json

    path = tmp_path / "easiness.json"
    write_ranking(make_ranking([9, 8], [9, 7]), path)
    table = json.loads(path.read_text())
    change(table)
    del table["sha256"]
    path.write_text(json.dumps({**table, "sha256": sha256_json(table)}))
    with pytest.raises(InputError, match=message):
        read_ranking(path)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_ranking(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not whole JSON"):
        read_ranking(tmp_path / "bytes.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match="is no JSON object"):
        read_ranking(tmp_path / "list.json")


def test_settings_and_columns_that_contradict_each_other_are_refused():
    with pytest.raises(InputError, match="n_neighbors=0"):
        dataclasses.replace(SETTINGS, n_neighbors=0)
    with pytest.raises(InputError, match="folds=1 should be >= 2"):
        dataclasses.replace(SETTINGS, folds=1)
    good = make_ranking([1, 2], [3, 4])
    knn, probe = good.columns
    for columns, message in (
        ((knn, knn), "two columns of one encoder and measure"),
        ((dataclasses.replace(probe, same=knn.same),), "belong to kNN"),
        ((dataclasses.replace(probe, correct=np.array([1])),), r"shape \(1,\); wanted \(2,\)"),
    ):
        with pytest.raises(InputError, match=message):
            dataclasses.replace(good, columns=columns)
