"""Which of several partitions of the same rows to keep, chosen without a label.

Heads, epochs and settings end in candidates: partitions of the same training rows. A criterion
says of each candidate how good it looks, and `choose` takes the best. `partitions` checks the
candidates, `spaces` is the features that a criterion looks at, and each criterion is a module:
`consistency` of neighbours, `agreement` of the candidates, `centroid_index` and `generalisation` in
feature spaces. The training loss is a number that the caller has.
"""

from .choice import CRITERIA, Chosen, Criterion, best, choose

__all__ = ["CRITERIA", "Chosen", "Criterion", "best", "choose"]
