"""The head that predicts is the one that its criterion takes, whoever trains it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from clusterbench.errors import InputError
from clusterbench.heads import trainer
from clusterbench.methods import SCAN, TEMI
from clusterbench.methods.trained import head_scores
from clusterbench.methods.trained.head_settings import SELECT
from clusterbench.neighbours import neighbours_of
from clusterbench.selection import CRITERIA, choose

SETTINGS: dict[str, Any] = {
    "n_clusters": 6, "device": "cpu", "n_heads": 4, "epochs": 2, "batch_size": 50,
    "n_neighbors": 5, "learning_rate": 1e-2, "hidden": 16, "bottleneck": 8, "warmup_epochs": 0,
}  # fmt: skip


def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = 2.0 * rng.normal(size=(6, 8))
    return (centers[rng.integers(0, 6, 200)] + rng.normal(size=(200, 8))).astype(np.float32)


def clusters_of_every_head(X: np.ndarray) -> list[np.ndarray]:
    """Heads learn the same whichever predicts, so each is made to be the one."""
    found = []
    for head in range(4):
        model = TEMI(**SETTINGS, select="loss")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "clusterbench.methods.trained.head_choice.np.argsort",
                lambda *_, h=head, **__: np.array([h, *(o for o in range(4) if o != h)]),
            )
            found.append(model.fit(X).labels_)
    return found


def test_what_may_choose_is_what_there_is() -> None:
    assert SELECT == CRITERIA


@pytest.mark.parametrize("criterion", [name for name in SELECT if name != "loss"])
def test_the_criterion_takes_the_head(criterion: str) -> None:
    X = features()
    candidates = clusters_of_every_head(X)
    wanted = choose(
        candidates,
        criterion,  # type: ignore[arg-type]
        neighbours=neighbours_of(X, 10).ids if criterion == "consistency" else None,
        spaces=[X],
        n_clusters=6,
    )

    model = TEMI(**SETTINGS, select=criterion).fit(X)

    assert len({tuple(labels) for labels in candidates}) == 4
    assert model.diagnostics_["head"] == wanted.index
    assert model.diagnostics_["select_scores"] == pytest.approx(list(wanted.scores))
    np.testing.assert_array_equal(model.labels_, candidates[wanted.index])
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("criterion", ["consistency", "calinski-harabasz"])
def test_very_many_rows_are_told_apart_by_some_of_them(
    criterion: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of them have clusters, and all that a head uses are counted."""
    X = features()
    candidates = clusters_of_every_head(X)
    monkeypatch.setattr(head_scores, "_ROWS", 60)
    monkeypatch.setattr(head_scores, "_ROWS_BY_CLUSTER", 10)
    numbers = np.sort(np.random.default_rng(0).choice(200, 60, replace=False))
    if criterion == "calinski-harabasz":
        wanted = choose([one[numbers] for one in candidates], criterion, spaces=[X[numbers]])
    else:
        near = neighbours_of(X, 10).ids[numbers]
        seen = np.unique([*numbers, *near.ravel()])
        wanted = choose(
            [one[seen] for one in candidates],
            criterion,
            neighbours=np.searchsorted(seen, near),
            held_out=[one[numbers] for one in candidates],
        )

    held = TEMI(**SETTINGS, select=criterion).fit(X)
    half = X.astype(np.float16)
    read = TEMI(**SETTINGS, select=criterion).fit(half)

    assert held.diagnostics_["select_scores"] == pytest.approx(list(wanted.scores))
    assert held.diagnostics_["head"] == wanted.index
    for found, of in ((held, X), (read, half.astype(np.float32))):
        scores = found.diagnostics_["select_scores"]
        assert found.diagnostics_["head"] == np.argmax(scores)
        np.testing.assert_array_equal(found.predict(of), found.labels_)
    every = [len(np.unique(one)) for one in candidates]
    assert held.diagnostics_["head_clusters_used"] == every


def test_consistency_chooses_where_nothing_else_is_said() -> None:
    assert TEMI().get_params()["select"] == "consistency"


@pytest.mark.parametrize("criterion", SELECT)
def test_a_single_head_is_not_looked_at(criterion: str) -> None:
    one = SETTINGS | {"n_heads": 1}
    found = TEMI(**one, select=criterion).fit(features())
    assert "select_scores" not in found.diagnostics_
    assert found.diagnostics_["head"] == 0
    np.testing.assert_array_equal(found.labels_, TEMI(**one).fit(features()).labels_)


@pytest.mark.parametrize("criterion", SELECT)
@pytest.mark.parametrize("broken", [0, 3])
def test_a_head_that_broke_is_not_taken(
    criterion: str, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss is NaN, whatever its clusters look like."""
    train = trainer.train_heads

    def breaks(*args: Any, **options: Any) -> Any:
        found = train(*args, **options)
        found.losses[-1][broken] = float("nan")
        return found

    monkeypatch.setattr(trainer, "train_heads", breaks)
    found = TEMI(**SETTINGS, select=criterion).fit(features())
    assert found.diagnostics_["head"] != broken
    assert found.diagnostics_["head_losses"][broken] is None
    if criterion != "loss":
        scores = found.diagnostics_["select_scores"]
        assert scores[broken] is None
        assert all(scores[h] is not None for h in range(4) if h != broken)


@pytest.mark.parametrize("equal", [[0, 1, 2, 3], [1, 3], [0, 2]])
def test_of_heads_that_are_equally_good_the_lowest_loss_is_taken(
    equal: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups that lie far apart hold all neighbours together, however they are merged."""
    scores = np.zeros(4)
    scores[equal] = 1.0
    monkeypatch.setattr(
        "clusterbench.methods.trained.head_choice.scores_of_heads",
        lambda *_: (scores, np.full(4, 6)),
    )
    model = TEMI(**SETTINGS).fit(features())
    losses = np.array(model.diagnostics_["head_losses"])
    assert model.diagnostics_["head"] == equal[int(np.argmin(losses[equal]))]


def test_a_score_without_end_is_the_largest_number() -> None:
    """Of copies in clusters of their own; a score that is None is of a head that is out."""
    X = np.repeat(features()[:6], 30, axis=0)
    model = TEMI(**{**SETTINGS, "epochs": 20}, select="calinski-harabasz").fit(X)
    scores, best = model.diagnostics_["select_scores"], np.finfo(np.float64).max
    assert max(scores) == best == scores[model.diagnostics_["head"]]
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


@pytest.mark.parametrize(("epochs", "every"), [(7, None), (1001, 2)])
def test_a_curve_of_very_many_epochs_is_thinned_and_ends_with_the_last(
    epochs: int, every: int | None
) -> None:
    found = SCAN(3, device="cpu", n_heads=1, epochs=epochs, batch_size=40).fit(features()[:40])
    curve, facts = found.diagnostics_["loss_by_epoch"], found.diagnostics_
    assert facts.get("loss_every") == every
    assert len(curve) == (epochs if every is None else 501)
    assert curve[-1] == facts["head_losses"][0]


def test_a_setting_that_is_no_criterion() -> None:
    with pytest.raises(InputError, match="select='acc' should be loss, consistency"):
        SCAN(select="acc")


def test_a_collapsed_head_is_not_taken_where_there_is_another() -> None:
    """Without the entropy one cluster for all has the lowest loss."""
    y = np.arange(200) % 4
    settings: dict[str, Any] = {"n_heads": 5, "epochs": 30, "batch_size": 64, "alpha": 0.0}
    both = 0
    for seed in range(8):
        noise = 0.4 * np.random.default_rng(seed).normal(size=(200, 16))
        Z = (np.eye(4, 16)[y] + noise).astype(np.float32)
        found = SCAN(4, seed, "cpu", learning_rate=0.05, **settings).fit(Z)
        used = found.diagnostics_["head_clusters_used"]
        both += 1 in used and max(used) > 1
        assert len(np.unique(found.labels_)) > 1 or max(used) == 1
        np.testing.assert_array_equal(found.predict(Z), found.labels_)
    assert both
