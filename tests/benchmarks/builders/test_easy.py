import dataclasses

import numpy as np
import pytest
from benchmark_toys import MemoryDataset, MemoryStore, clustered_features, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.builders.easy import EasyParams, easy_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.difficulty import easiness as easiness_module
from clusterbench.benchmarks.difficulty.class_ranking import (
    ClassRanking,
    RankingColumn,
    RankingSettings,
)
from clusterbench.benchmarks.difficulty.easiness import FILE, easiness
from clusterbench.benchmarks.difficulty.rank_classes import rank_classes
from clusterbench.benchmarks.difficulty.ranking_file import ranking_sha256, write_ranking
from clusterbench.errors import InputError

CHOICES = ("easiest", "random", "hardest")


def toy():
    """Four easy classes, four middling and four hard ones, of unequal sizes."""
    index = make_index(np.arange(12) % 3 * 4 + 12, 4)
    return index, MemoryStore(clustered_features(index, np.repeat([0.1, 0.8, 6.0], 4)))


def drafts(seed=0, **params):
    index, store = toy()
    pool = Pool(index, seed)
    ranking = rank_classes(pool, [store], 10)
    params = {"n_classes": 4, "images_per_class": 10, "seed": seed} | params
    return {which: easy_task(pool, ranking, EasyParams(which, **params)) for which in CHOICES}


def chosen(draft):
    return set(draft.names)


def test_easy_and_hard_classes_are_told_apart_at_equal_sizes():
    index, _ = toy()
    made = drafts()
    assert made["easiest"].names == ("c000", "c001", "c002", "c003")
    assert made["hardest"].names == ("c008", "c009", "c010", "c011")
    for draft in made.values():
        sizes = np.bincount(index.labels[draft.train_rows], minlength=12)
        assert sorted(set(sizes)) == [0, 10]
        assert len(draft.eval_rows) == 16
    for measure in ("knn", "probe"):
        easy, random, hard = (made[w].factors[f"{measure}_accuracy"] for w in made)
        assert easy > random > hard
        factors = made["random"].factors
        assert (
            factors[f"lowest_{measure}_accuracy"]
            <= random
            <= factors[f"highest_{measure}_accuracy"]
        )


def test_the_notes_say_by_what_the_classes_were_ranked():
    index, store = toy()
    pool = Pool(index, 0)
    ranking = rank_classes(pool, [store], 10)
    draft = easy_task(pool, ranking, EasyParams("random", n_classes=3))
    assert draft.notes == {
        "candidate_classes": 8,
        "images_per_class": 16,
        "ranking_sha256": ranking_sha256(ranking),
        "ranked_by": "memory",
        "measures": "knn, probe",
    }


def test_numbers_left_out_follow_from_the_data():
    made = drafts(n_classes=None, images_per_class=None)
    for draft in made.values():
        # The median class has 16 train images, 8 classes have as many, and a third of 8 is 2.
        assert (len(draft.names), len(draft.train_rows)) == (2, 32)
    few = make_index([5, 5, 5], [3, 3, 1])
    pool = Pool(few, 0)
    ranking = some_ranking(few, [[3, 2, 1]])
    assert easy_task(pool, ranking, EasyParams("easiest")).names == ("c000", "c001")
    with pytest.raises(InputError, match="no class has train images and 4 val images"):
        easy_task(pool, ranking, EasyParams("easiest", eval_per_class=4))


def some_ranking(index, columns, names=None):
    names = names or index.class_names
    settings_ = RankingSettings(seed=3, images_per_class=9, n_neighbors=8)
    made = [
        RankingColumn(
            "e", "0" * 64, measure, np.array(c), np.array(c) if measure == "knn" else None
        )
        for measure, c in zip(("knn", "probe"), columns, strict=False)
    ]
    return ClassRanking(index.hash, settings_, tuple(names), tuple(made))


@st.composite
def worlds(draw):
    """A pool, a ranking of some of its classes, and a number of classes that fits."""
    n = draw(st.integers(4, 16))
    index = make_index(draw(st.lists(st.integers(4, 9), min_size=n, max_size=n)), 3)
    ranked = draw(st.lists(st.sampled_from(index.class_names), min_size=4, unique=True))
    counts = st.lists(st.integers(0, 9), min_size=len(ranked), max_size=len(ranked))
    ranking = some_ranking(index, [draw(counts), draw(counts)], ranked)
    n_classes = draw(st.integers(2, len(ranked)))
    return Pool(index, draw(st.integers(0, 5))), ranking, n_classes


@settings(max_examples=60)
@given(worlds())
def test_sets_have_equal_sizes_and_the_easiest_and_hardest_do_not_overlap(world):
    pool, ranking, n_classes = world
    params = {"n_classes": n_classes, "images_per_class": 4, "seed": pool.seed}
    made = {w: easy_task(pool, ranking, EasyParams(w, **params)) for w in CHOICES}
    assert {len(d.names) for d in made.values()} == {n_classes}
    assert {len(d.train_rows) for d in made.values()} == {4 * n_classes}
    assert {len(d.eval_rows) for d in made.values()} == {3 * n_classes}
    for draft in made.values():
        assert set(draft.names) <= set(ranking.classes)
        assert (pool.index.split[draft.train_rows] == 0).all()
        assert (pool.index.split[draft.eval_rows] == 1).all()
    if 2 * n_classes <= len(ranking.classes):
        assert not chosen(made["easiest"]) & chosen(made["hardest"])
    candidates = list(ranking.classes)
    mean = dict(zip(candidates, ranking.mean_rank(candidates), strict=True))
    for name in candidates:
        if name not in made["easiest"].names:
            assert mean[name] >= max(mean[other] for other in made["easiest"].names)
        if name not in made["hardest"].names:
            assert mean[name] <= min(mean[other] for other in made["hardest"].names)
    again = easy_task(pool, ranking, EasyParams("easiest", **params))
    assert again.train_rows.tolist() == made["easiest"].train_rows.tolist()


@settings(max_examples=30)
@given(worlds(), st.integers(0, 99))
def test_random_classes_do_not_depend_on_the_ranks(world, seed):
    pool, ranking, n_classes = world
    rng = np.random.Generator(np.random.PCG64(seed))
    moved = some_ranking(
        pool.index, rng.integers(0, 10, (2, len(ranking.classes))), ranking.classes
    )
    params = EasyParams("random", n_classes=n_classes, images_per_class=4, seed=pool.seed)
    assert easy_task(pool, ranking, params).names == easy_task(pool, moved, params).names


def test_a_ranking_is_made_on_the_spot_where_there_is_no_file():
    index, store = toy()
    data = MemoryDataset(index, memory=store)
    found = easiness(data, Pool(index, 0), None, 10)
    assert found.settings == RankingSettings(seed=0, images_per_class=10, n_neighbors=9)
    assert found.encoders == ("memory",)
    assert easiness(data, Pool(index, 0), None, 2).settings.folds == 2


def test_a_large_data_set_is_to_be_ranked_beforehand(monkeypatch):
    index, store = toy()
    data = MemoryDataset(index, memory=store)
    for limit in ("_MAX_IMAGES", "_MAX_CLASSES"):
        with monkeypatch.context() as patch:
            patch.setattr(easiness_module, limit, 11)
            with pytest.raises(
                InputError,
                match=r"has no easiness.json, and ranking 120 images of 12 classes takes a "
                r"while \(.*\); run `clusterbench rank --dataset toy` once",
            ):
                easiness(data, Pool(index, 0), None, 10)
    assert not len(store.seen)


def test_the_file_in_the_data_sets_folder_wins(tmp_path):
    index, store = toy()
    data = MemoryDataset(index, memory=store, folder=tmp_path)
    kept = some_ranking(index, [range(9, -1, -1), range(9, -1, -1)], index.class_names[:10])
    write_ranking(kept, tmp_path / FILE)
    pool = Pool(index, 0)
    found = easiness(data, pool, None, 10)
    assert ranking_sha256(found) == ranking_sha256(kept)
    assert ranking_sha256(easiness(data, pool, ("e",), 10)) == ranking_sha256(kept)
    assert not len(store.seen)
    params = EasyParams("hardest", n_classes=2, images_per_class=10)
    assert easy_task(pool, found, params).names == ("c008", "c009")
    with pytest.raises(InputError, match="unknown encoder of the ranking 'f'"):
        easiness(data, pool, ("f",), 10)


def test_a_file_of_another_index_is_refused(tmp_path):
    index, store = toy()
    data = MemoryDataset(index, memory=store, folder=tmp_path)
    other = some_ranking(index, [range(10)] * 2, index.class_names[:10])
    write_ranking(dataclasses.replace(other, index_hash="b" * 64), tmp_path / FILE)
    with pytest.raises(InputError, match="made for index bbbbbbbbbbbb, and data set 'toy' has"):
        easiness(data, Pool(index, 0), None, 10)
    with pytest.raises(InputError, match="run `clusterbench rank --dataset toy --force` again"):
        easiness(data, Pool(index, 0), None, 10)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"which": "middle"}, "which='middle' should be one of easiest, random, hardest"),
        ({"n_classes": 1}, "n_classes=1"),
        ({"images_per_class": 1}, "images_per_class=1"),
        ({"encoders": ()}, r"encoders=\(\) should be some, each once"),
        ({"encoders": ("a", "a")}, "encoders=.* should be some, each once"),
        ({"eval_per_class": 1}, "eval_per_class=1"),
    ],
)
def test_parameters_out_of_range_are_refused(params, message):
    with pytest.raises(InputError, match=message):
        EasyParams(**({"which": "random", "n_classes": 4, "images_per_class": 5} | params))


def test_too_few_classes_are_refused():
    with pytest.raises(InputError, match="8 ranked classes have 16 training and 2 val images"):
        drafts(n_classes=9, images_per_class=16)
