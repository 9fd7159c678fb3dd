"""Benchmark suite for deep image clustering beyond ImageNet-1K.

    import clusterbench as cb
    labels = cb.methods.KMeans(n_clusters=100, random_state=0).fit_predict(X)
    print(cb.score(targets, labels).acc)

Names are loaded on first use, so `import clusterbench` costs nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from . import methods as methods
    from . import references as references
    from .errors import ClusterbenchError as ClusterbenchError
    from .errors import InputError as InputError
    from .features.extract.job import extract_images as extract
    from .features.store.store import FeatureStore as FeatureStore
    from .metrics import Resampling as Resampling
    from .metrics import Scores as Scores
    from .metrics import compare as compare
    from .metrics import score as score
    from .reports import build_report as report
    from .runs import run as run
    from .sources.opening import open_source as open_source

#: Name -> module and the name in it.
_EXPORTS = {
    "ClusterbenchError": "errors:ClusterbenchError",
    "FeatureStore": "features.store.store:FeatureStore",
    "InputError": "errors:InputError",
    "Resampling": "metrics:Resampling",
    "Scores": "metrics:Scores",
    "compare": "metrics:compare",
    "extract": "features.extract.job:extract_images",
    "open_source": "sources.opening:open_source",
    "report": "reports:build_report",
    "run": "runs:run",
    "score": "metrics:score",
}

__all__ = [
    "ClusterbenchError",
    "FeatureStore",
    "InputError",
    "Resampling",
    "Scores",
    "__version__",
    "compare",
    "extract",
    "methods",
    "open_source",
    "references",
    "report",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in ("methods", "references"):
        return importlib.import_module(f"clusterbench.{name}")
    if name in _EXPORTS:
        module, _, attribute = _EXPORTS[name].partition(":")
        return getattr(importlib.import_module(f"clusterbench.{module}"), attribute)
    raise AttributeError(f"module 'clusterbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
