import numpy as np
import pytest

from clusterbench import InputError
from clusterbench.metrics import score
from clusterbench.metrics.validate import check_labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], r"predictions is empty; give at least one label"),
        ([[0, 1], [1, 0]], r"predictions has shape \(2, 2\); give a 1-D array"),
        (3, r"predictions has shape \(\)"),
        (
            [0, -2, 2],
            r"predictions has label -2 at position 1; labels start at 0, and -1 means not",
        ),
        ([0.0, 1.5], r"predictions has 1.5 at position 1; give whole numbers"),
        ([0.0, float("nan")], r"predictions has nan at position 1"),
        ([float("inf"), 0.0], r"predictions has inf at position 0"),
        ([True, False], r"predictions has dtype bool; give whole numbers or strings"),
        ([0, None], r"predictions has dtype object; .* numpy.asarray\(labels, str\)"),
        (np.array(["a", 1], object), r"predictions has dtype object"),
        ([[0], [1, 2]], r"predictions cannot be read as an array"),
        ([0j, 1j], r"predictions has dtype complex128"),
    ],
)
def test_unusable_labels_are_named_with_what_was_found(labels, message):
    with pytest.raises(InputError, match=message):
        score([0, 1], labels)


def test_different_lengths_are_refused():
    with pytest.raises(InputError, match="3 targets but 2 predictions; give one prediction per"):
        score([0, 1, 1], [0, 1])


def test_labels_at_or_above_a_given_count_are_refused():
    with pytest.raises(InputError, match=r"targets has label 7 .* n_classes=7; .* 0 to 6"):
        score([0, 7], [0, 1], n_classes=7)
    with pytest.raises(InputError, match=r"predictions has label 3 at position 1 but n_clusters=2"):
        score([0, 1], [0, 3], n_clusters=2)


@pytest.mark.parametrize("count", [0, -3, 1.0, True, "4"])
def test_counts_must_be_whole_and_positive(count):
    with pytest.raises(InputError, match=f"n_clusters={count!r}; give a whole number from 1"):
        score([0, 1], [0, 0], n_clusters=count)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, np.uint8)])
def test_lists_and_arrays_of_any_integer_type_are_accepted(kind):
    assert score(kind([0, 1, 1]), kind([1, 0, 0])).acc == 1.0


def test_whole_floats_and_tensors_are_accepted():
    torch = pytest.importorskip("torch")
    assert score([0.0, 1.0], torch.tensor([1, 0])).acc == 1.0


def test_far_apart_labels_are_renumbered_in_order():
    labels = check_labels([10**15, 5, 10**15, 2**62], "targets")
    assert labels.values.tolist() == [1, 0, 1, 2]
    assert (labels.highest, labels.some_missing, labels.renumbered) == (2, False, True)
    assert check_labels(np.array([2**64 - 1, 7], np.uint64), "targets").values.tolist() == [1, 0]


def test_renumbering_keeps_missing_labels_missing():
    labels = check_labels([10**15, -1, 5, -1], "predictions")
    assert labels.values.tolist() == [1, -1, 0, -1]
    assert (labels.highest, labels.some_missing) == (1, True)


@pytest.mark.parametrize("dtype", ["U", "S", object, "T"])
def test_strings_are_numbered_in_their_order_and_minus_one_is_missing(dtype):
    words = ["b", "-1", "a", "b", "+2"]  # "+2" < "-1" < "a" < "b"
    if dtype is object:
        array = np.array(words)[:]  # what .astype(str) gives
    else:
        array = np.array(words, np.dtypes.StringDType() if dtype == "T" else dtype)
    labels = check_labels(array, "targets")
    assert labels.values.tolist() == [2, -1, 1, 2, 0]
    assert labels.renumbered


def test_strings_score_like_the_numbers_they_stand_for():
    words = score(["cat", "cat", "dog", "owl"], np.array(["x", "x", "y", "-1"]))
    assert words == score([0, 0, 1, 2], [0, 0, 1, -1])
    with pytest.raises(InputError, match="targets are strings but n_classes=3"):
        score(["cat", "dog"], [0, 1], n_classes=3)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_labels_that_are_fit_to_use_are_not_copied(dtype):
    array = np.arange(5, dtype=dtype)
    assert np.shares_memory(check_labels(array, "targets").values, array)


@pytest.mark.parametrize(("dtype", "limit"), [("f2", 2**11), ("f4", 2**24), ("f8", 2**53)])
def test_floats_that_do_not_tell_whole_numbers_apart_are_refused(dtype, limit):
    fine = np.array([0, limit - 1], dtype)
    assert check_labels(fine, "targets").given[-1] == limit - 1
    with pytest.raises(InputError, match=f"targets has {float(limit)} .*give them as integers"):
        check_labels(np.array([0, limit], dtype), "targets")


def test_targets_without_a_single_class_are_refused():
    with pytest.raises(InputError, match="every target is -1, which means no class"):
        score([-1, -1], [0, 1])


def test_a_label_far_above_the_number_of_samples_costs_no_memory():
    assert check_labels([10**9, 5, 7], "targets").values.tolist() == [2, 0, 1]
    assert check_labels([1000, 5, 7], "targets").values.tolist() == [1000, 5, 7]


def test_a_column_of_labels_is_labels() -> None:
    assert check_labels([[3], [1], [-1]], "targets").values.tolist() == [3, 1, -1]


def test_masked_labels_are_refused() -> None:
    masked = np.ma.array([0, 1, 2], mask=[False, True, False])
    with pytest.raises(InputError, match=r"targets is masked at position 1; write -1 for"):
        check_labels(masked, "targets")
    assert check_labels(np.ma.array([0, 1]), "targets").values.tolist() == [0, 1]
