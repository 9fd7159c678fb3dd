"""Options that nobody should give: one line that says what was wanted, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from trials import Trials, snapshot

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

RUN = ("run", "-b", "imbalanced", "-t", "ratio-1", "-s", "1", "--dry-run")
LONG = "x" * 100_000  # a single argument of a command line has at most 128 kB
CONTROL = "a\x1b[2Jb\u202ec\nd"

REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "k 1e9": (("--k", "1e9"), "k='1e9'; wanted a whole number"),
    "k of thousands of digits": (("--k", "9" * 50_000), "wanted a whole number"),
    "k larger than the data": (("--k", "1000000000"), "k=1000000000 is larger than"),
    "k negative": (("--k=-3",), "k='-3'; wanted a whole number"),
    "k zero": (("--k", "0"), "wanted a whole number"),
    "k factor zero": (("--k", "0x"), "wanted a whole number"),
    "k factor huge": (("--k", "999999999999999999x"), "is larger than"),
    "k nan": (("--k", "nan"), "wanted a whole number"),
    "k empty": (("--k", ""), "k=''; wanted a whole number"),
    "k control": (("--k", CONTROL), "wanted a whole number"),
    "seeds many": (("-s", "2147483647"), "wanted a count of at least 1 and at most 10,000"),
    "seeds beyond": (("-s", "1" + "0" * 20), "wanted a count of at least 1 and at most 10,000"),
    "seeds of thousands of digits": (("-s", "9" * 50_000), "wanted a count such as 3"),
    "seeds negative": (("-s", "-1"), "wanted a count of at least 1"),
    "seeds control": (("-s", CONTROL), "wanted a count such as 3"),
    "seed beyond": (("-s", "2147483648,"), "wanted whole numbers in [0, 2**31)"),
    "seeds listed beyond count": (("-s", ",".join(map(str, range(10_001)))), "more than 10,000"),
    "task control": (("-t", CONTROL), "unknown task"),
    "task long": (("-t", LONG), "unknown task"),
    "task none": (("-t", ","), "no task chosen"),
    "method control": (("-m", CONTROL), "unknown method"),
    "method long": (("-m", LONG), "unknown method"),
    "method none": (("-m", ","), "no method chosen"),
    "benchmark control": (("-b", CONTROL), "unknown benchmark"),
    "benchmark path": (("-b", "../imbalanced"), "unknown benchmark"),
    "dataset long": (("-d", LONG), "unknown dataset"),
    "encoder control": (("-e", CONTROL), "unknown encoder"),
    "encoder path": (("-e", "../../etc"), "unknown encoder"),
    "preset long": (("--preset", LONG), "unknown preset"),
    "preset path": (("--preset", "../presets/laptop"), "unknown preset"),
    "preset control": (("--preset", CONTROL), "unknown preset"),
    "protocol long": (("--protocol", LONG), "protocol"),
    "strategy control": (("--overwrite-strategy", CONTROL), "overwrite strategy"),
    "param without a name": (("-p", "kmeans=3"), "wanted METHOD.NAME=VALUE"),
    "param empty": (("-p", ""), "wanted METHOD.NAME=VALUE"),
    "param long": (("-p", LONG), "wanted METHOD.NAME=VALUE"),
    "param value long": (("-p", f"kmeans.scaling={LONG}"), "kmeans.scaling has 100,000 characters"),
    "param value control": (("-p", f"kmeans.scaling={CONTROL}"), "scaling="),
    "param name control": (("-p", f"kmeans.{CONTROL}=1"), "unknown key|parameter of method"),
    "param method control": (("-p", f"{CONTROL}.x=1"), "unknown method"),
    "param nan": (("-p", "temi.learning_rate=nan"), "method temi: learning_rate=nan"),
    "param inf": (("-p", "temi.learning_rate=1e999"), "method temi: learning_rate=inf"),
    "param many digits": (("-p", f"kmeans.n_init={'9' * 5_000}"), "kmeans.n_init="),
    "param beyond 64 bits": (("-p", f"kmeans.n_init={'9' * 19}"), "n_init"),
    "param quoted": (("-p", "kmeans.n_init='3'"), "is a str; wanted int"),
    "param empty value": (("-p", "temi.epochs="), "parameter temi.epochs='' is empty; wanted int"),
    "param code": (("-p", "kmeans.scaling=__import__('os').abort()"), "scaling="),
    "param reserved": (("-p", "kmeans.n_clusters=3"), "use --k, --seeds and --device"),
    "param dunder": (("-p", "kmeans.__class__=3"), "__class__"),
    "unknown option": (("--" + "y" * 1000, "3"), "No such option"),
    "results is a file": (("--results", "/dev/null/x"), "/dev/null"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_option_that_cannot_be_used(name: str, trial: Trials, tmp_path: Path) -> None:
    words, message = REFUSED[name]
    base = [word for word in RUN if name != "task none" or word not in ("-t", "ratio-1")]
    found = trial(*base, *words, cwd=tmp_path)
    if name == "results is a file":
        found.within()  # a dry run looks there and writes nothing
    else:
        found.refused(next((m for m in message.split("|") if m in found.err), message))
    assert not snapshot(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("-p", "kmeans.scaling=none"),
        ("-p", "kmeans.scaling='none'"),
        ("-p", 'kmeans.scaling="l2"'),
        ("-p", "kmeans.max_points_per_centroid=none", "-p", "kmeans.max_points_per_centroid =3"),
        ("-p", "temi.learning_rate=1"),
        ("--k", "0.5x"),
        ("-s", "0,7,"),
    ],
)
def test_options_that_can_be_used(words: tuple[str, ...], trial: Trials, tmp_path: Path) -> None:
    found = trial(*RUN, *words, cwd=tmp_path)
    if "kmeans.max_points_per_centroid =3" in words:
        found.refused("is given twice")
    else:
        found.passed()
    assert not snapshot(tmp_path)


@pytest.mark.parametrize("where", ["y" * 300, "/".join(["y" * 200] * 30), "y/" * 50_000])
def test_paths_that_are_too_long(where: str, trial: Trials, tmp_path: Path) -> None:
    found = trial(*RUN, "--results", where, cwd=tmp_path)
    found.refused("cannot look for")
    assert not snapshot(tmp_path)
