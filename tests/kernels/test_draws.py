import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.kernels.draws import order_within


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), max_size=60))
def test_order_is_by_label_then_priority_then_place(pairs):
    labels = np.array([label for label, _ in pairs], dtype=np.int32)
    priority = np.array([2**63 + p if p > 2 else p for _, p in pairs], dtype=np.uint64)
    assert order_within(labels, priority, 7).tolist() == np.lexsort((priority, labels)).tolist()
