"""The head that predicts is the one that its criterion takes, whoever trains it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterbench.errors import InputError
from clusterbench.methods import SCAN, TEMI
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
        model = TEMI(**SETTINGS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "clusterbench.methods.trained.head_choice.np.nanargmin", lambda _, h=head: h
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
        neighbours=neighbours_of(X, 5).ids if criterion == "consistency" else None,
        spaces=[X],
        n_clusters=6,
    )

    model = TEMI(**SETTINGS, select=criterion).fit(X)

    assert len({tuple(labels) for labels in candidates}) == 4
    assert model.diagnostics_["head"] == wanted.index
    assert model.diagnostics_["select_scores"] == pytest.approx(list(wanted.scores))
    np.testing.assert_array_equal(model.labels_, candidates[wanted.index])
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_a_setting_that_is_no_criterion() -> None:
    with pytest.raises(InputError, match="select='acc' should be loss, consistency"):
        SCAN(select="acc")
