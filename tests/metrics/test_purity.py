from hypothesis import given
from labellings import dense_table, labellings

from clusterbench.metrics import score


@given(labellings())
def test_purity_is_the_majority_of_each_cluster(pair):
    scores = score(*pair)
    assert scores.purity == dense_table(*pair).max(axis=0).sum() / len(pair[0])
    assert scores.purity == scores.acc_many_to_one


def test_unassigned_samples_are_a_cluster_for_purity_and_wrong_for_acc():
    scores = score([0, 0, 0, 1, 1], [0, 0, -1, -1, -1])
    assert scores.acc_many_to_one == 2 / 5
    assert scores.purity == 4 / 5
