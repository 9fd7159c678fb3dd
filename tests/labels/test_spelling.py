"""Different texts are different classes, whatever numbers they could be read as."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from label_toys import read, refused, write_json, write_text

from clusterbench import InputError

SPELLINGS = st.one_of(
    st.sampled_from(["01", "1", "001", "1.0", "1.00", "0e1", "0e2", "1e3", "1000", "0x10", "16"]),
    st.sampled_from(
        ["+1", "-1", "-01", "-0", "0", "-0.0", "0.0", "1_000", "١", "inf", "nan", "1."]
    ),
    st.sampled_from(["TRUE", "true", "True", " 1", "1 ", "1e16", "1e+16", "9007199254740993.0"]),
    st.sampled_from(["9007199254740992.0", str(2**63), str(2**64), str(-(2**63)), "0.1", ".1"]),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=True).map(repr),
    st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n"'), min_size=1, max_size=5),
)


@settings(max_examples=200)
@given(texts=st.lists(SPELLINGS, min_size=1, max_size=8), tabs=st.booleans())
@example(texts=["01", "1", "001", "1.0"], tabs=False)
@example(texts=["0e1", "0e2"], tabs=False)
@example(texts=["1", " 1"], tabs=True)
@example(texts=["0.0", "-0.0"], tabs=True)
@example(texts=["9007199254740993.0", "9007199254740992.0"], tabs=False)
@example(texts=[str(2**63), str(2**63 + 1), "-1"], tabs=False)
def test_there_are_as_many_labels_as_texts(texts, tabs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("x.tsv" if tabs else "x.csv")
        quoted = "".join(f'"{text}"\n' for text in texts)
        write_text(path, "label\n" + quoted)
        found = {"list": write_json(Path(folder) / "x.json", texts), "table": path}
        for where in found.values():
            try:
                labels = read(where)
            except InputError:  # missing, true and false, blank: refused rather than merged
                continue
            assert labels.n == len(texts)
            assert len(np.unique(labels.values)) == len(set(texts))


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["1", "-1", "0", "700"], np.int64),
        (["1", " 2", "3 "], np.int64),
        (["1.0", "0.5", "-1.0"], np.float64),
        ([str(2**64 - 1), "0"], np.uint64),
    ],
)
def test_canonical_spellings_are_numbers(tmp_path, texts, dtype):
    found = read(write_text(tmp_path / "x.csv", "label\n" + "\n".join(texts)))
    assert (found.names, found.values.dtype) == (None, dtype)
    assert found.values.tolist() == [dtype(text) for text in texts]


@pytest.mark.parametrize(
    "texts", [["1", "1.0"], ["01", "2"], ["+1", "2"], ["1", " 1"], ["1_000", "1"], ["٣", "3"]]
)
def test_other_spellings_are_names(tmp_path, texts):
    found = read(write_text(tmp_path / "x.csv", "label\n" + "\n".join(texts)))
    assert found.names == tuple(sorted(texts))


@pytest.mark.parametrize("texts", [["true", "FALSE"], ["True"]])
def test_truth_values_are_refused(tmp_path, texts):
    refused(write_text(tmp_path / "x.csv", "label\n" + "\n".join(texts)), "type bool; labels are")


def test_numbers_in_json_are_numbers_and_strings_are_names(tmp_path):
    assert read(write_json(tmp_path / "x.json", [1, 1.0, 2])).values.tolist() == [1, 1, 2]
    assert read(write_json(tmp_path / "x.json", ["1", "1.0", "01"])).names == ("01", "1", "1.0")


def test_a_label_over_two_lines_is_a_quote_left_open(tmp_path):
    path = write_text(tmp_path / "x.csv", 'label\na\n"b\nc\nd\n')
    refused(path, "the label in row 1, counted from 0, holds a line break.*quote not closed")
