import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench import InputError
from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.sources.index_builder import IndexBuilder

NAMES = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]),
    min_size=1,
).filter(lambda name: name not in (".", ".."))
SAMPLES = st.lists(
    st.tuples(st.sampled_from(["a", "a-b", "a.b", "é", "b", "𝄞"]), NAMES, st.integers(0, 1)),
    min_size=1,
    max_size=40,
    unique_by=lambda sample: sample[:2],
)


@given(SAMPLES, st.integers(1, 7))
def test_chunks_in_any_order_become_what_a_plain_sort_gives(samples, chunk):
    trained = {cls: name for cls, name, _ in samples}  # each class has a training image
    samples = [(cls, name, split * (trained[cls] != name)) for cls, name, split in samples]
    builder = IndexBuilder({"at": np.int64})
    for start in range(0, len(samples), chunk):
        some = samples[start : start + chunk]
        builder.add(
            [f"{cls}/{name}" for cls, name, _ in some],
            [cls for cls, _, _ in some],
            [split for _, _, split in some],
            at=np.arange(start, start + len(some)),
        )
    index, columns = builder.finish()
    order = sorted(
        range(len(samples)),
        key=lambda i: (samples[i][0].encode(), "/".join(samples[i][:2]).encode()),
    )
    assert [index.id(r) for r in range(index.n)] == ["/".join(samples[i][:2]) for i in order]
    assert [index.class_names[label] for label in index.labels] == [samples[i][0] for i in order]
    assert index.split.tolist() == [samples[i][2] for i in order]
    assert columns["at"].tolist() == order
    rows = np.random.default_rng(0).integers(0, index.n, 10)
    np.testing.assert_array_equal(index.find([index.id(row) for row in rows]), rows)


def test_one_class_split_and_column_value_may_stand_for_a_whole_chunk():
    builder = IndexBuilder({"container": np.int32, "name": "S1"})
    builder.add(np.array([b"b/1", b"b/2"]), "b", 1, container=7, name=[b"x", b"longer"])
    builder.add(["b/3"], "b", container=8, name=[b"yy"])
    builder.add([], "nothing", container=9, name=[])
    index, columns = builder.finish()
    assert index.class_names == ("b",) and index.split.tolist() == [1, 1, 0]
    assert columns["container"].tolist() == [7, 7, 8] and columns["container"].dtype == np.int32
    assert columns["name"].tolist() == [b"x", b"longer", b"yy"]


def test_an_id_twice_is_named_with_both_places():
    builder = IndexBuilder({"container": np.int32})
    builder.add(["a/1", "a/2"], "a", container=0)
    builder.add(["a/0", "a/2"], "a", container=1)
    with pytest.raises(InputError, match="one id 'a/2': tar 0 and tar 1; an id is class/file"):
        builder.finish(lambda sample: f"tar {sample['container']}")


def test_an_id_twice_is_found_across_classes():
    builder = IndexBuilder()
    builder.add(["a/b/1", "a/b/1"], ["a", "a/b"])
    with pytest.raises(InputError, match="two samples have the one id 'a/b/1'; an id"):
        builder.finish()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a/1", ""], "an id is empty"),
        (["a/1\n2"], "holds a line break"),
        (["a/1\0"], "holds a NUL byte"),
    ],
)
def test_ids_that_cannot_be_kept_are_refused(ids, message):
    with pytest.raises(InputError, match=message):
        IndexBuilder().add(ids, "a")


def test_wrong_lengths_and_columns_and_no_samples_are_refused():
    with pytest.raises(InputError, match="2 values of split for 1 ids"):
        IndexBuilder().add(["a/1"], "a", [0, 1])
    with pytest.raises(InputError, match=r"columns \['x'\]; wanted \['y'\]"):
        IndexBuilder({"y": np.int64}).add(["a/1"], "a", x=1)
    with pytest.raises(InputError, match="no samples"):
        IndexBuilder().finish()


def test_find_takes_any_order_and_repeats_also_where_ids_are_not_in_byte_order():
    # "a-b/1" is less than "a/1" as bytes, but class a comes before class a-b.
    index, _ = DatasetIndex.from_samples(["a/1", "a/22", "a-b/1"], ["a", "a", "a-b"])
    assert index.find(["a-b/1", "a/22", "a/1", "a-b/1"]).tolist() == [2, 1, 0, 2]
    assert index.find(np.array([b"a/22"], "S99")).tolist() == [1]
    assert index.find([]).tolist() == [] and index.find([]).dtype == np.int64


@pytest.mark.parametrize("missing", ["a/0", "zzz", "a/2", "a/222", "a/22222222222222222222", "a-b"])
def test_find_names_the_first_id_that_is_not_there(missing):
    for classes in (["a", "a", "b"], ["a", "a", "a-b"]):
        index, _ = DatasetIndex.from_samples(["a/1", "a/22", f"{classes[2]}/1"], classes)
        with pytest.raises(InputError, match=f"2 of 4 ids are not in it .first: '{missing}'"):
            index.find(["a/1", missing, "nowhere", "a/22"])
