"""Hostile and damaged submissions: each is refused with its reason, by `submit` and `validate`."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from boards.odd_files import fifo, folder, linked, unix_socket
from signing import nested, put
from trials import Trials

from clusterbench.benchmarks import build
from clusterbench.datasets import registry
from clusterbench.leaderboard import RunElsewhere, read_leaderboard, write_submission

pytestmark = pytest.mark.slow

ESCAPES = "\x1b[2Jred\u202e\u200b\x9b1m"
HUGE = "HUGE"  # written as a number of 4,001 digits
N, K = 20, 4  # rows that the task scores, clusters
ROWS = np.asarray("a" * 64)
ZEROS = np.zeros(N, np.int32)

#: Places in a submission, what is put there, and a part of the reason.
FIELDS: dict[str, tuple[str, Any, str]] = {
    "another manifest": ("task.manifest_hash", "b" * 64, "had manifest bbbbbbbbbbbb"),
    "no manifest hash": ("task.manifest_hash", "b", "task.manifest_hash"),
    "unknown task": ("task.name", "ratio-9", "has no task 'ratio-9'"),
    "another task": ("task.name", "ratio-1", "had manifest"),
    "unknown benchmark": ("benchmark", "tiny", "unknown benchmark"),
    "path for a benchmark": ("benchmark", "../../etc/passwd", "unknown benchmark"),
    "unknown data set": ("dataset", "tyny", "unknown dataset"),
    "path for a data set": ("dataset", "/etc", "unknown dataset"),
    "large seed": ("seed", 2**31, "seed"),
    "huge seed": ("seed", HUGE, "more than 64 bits"),
    "negative seed": ("seed", -1, "seed"),
    "true for a seed": ("seed", True, "seed"),
    "text for a seed": ("seed", "0", "seed"),
    "fraction for a seed": ("seed", 0.5, "seed"),
    "no k": ("k", 0, "k:"),
    "k of more than the samples": ("k", 33, "32 training samples"),
    "k of billions": ("k", 2**31, "k:"),
    "k below its clusters": ("k", K - 1, f"clusters 0..{K - 1}; wanted 0..{K - 2}"),
    "large version": ("method.version", 2**40, "method.version"),
    "deep setting": ("method.params.x", nested(197), "nested too deeply"),
    "large settings": ("method.params.x", ["x" * 9_000] * 20, "method.params"),
    "many settings": ("method.params.x", [1] * 501, "method.params"),
    "name of a setting": ("method.params", {"a\nb": 1}, "method.params"),
    "escapes in a setting's name": ("method.params", {ESCAPES: 1}, "method.params"),
    "escapes in the method": ("method.name", ESCAPES, "control character"),
    "right-to-left mark in the method": ("method.name", "kmeans\u202eevil", "U+202E"),
    "newline in the method": ("method.name", "m\n1  best  99.9", "U+000A"),
    "NUL in the method": ("method.name", "k\x00means", "U+0000"),
    "unseen method": ("method.name", "\u3164", "method.name"),
    "half of a character": ("method.name", "\ud800", "not whole JSON in UTF-8"),
    "empty method": ("method.name", "", "is empty"),
    "blank at the end": ("method.name", "mine ", "blank"),
    "long method": ("method.name", "m" * 100_000, "at most 200"),
    "name of a reference": ("method.name", "linear-probe", "name of a reference"),
    "line for an encoder": ("features.encoder", "a\n9  best  99.9", "features.encoder"),
    "features under another name": ("features.encoder", "dinov2-giant", "the data set's 'blobs'"),
    "features of another store": ("features.encoder", "shifted", "the data set's 'shifted'"),
    "other features": ("features.identity", "b" * 64, "features bbbbbbbbbbbb, but"),
    "no identity": ("features.identity", "i", "features.identity"),
    "lines of a description": ("features.description", "a\nb", "features.description"),
    "long description": ("features.description", "a" * 5_000, "at most 1,000"),
    "unknown protocol": ("protocol", "val->train", "protocol"),
    "other rows by protocol": ("protocol", "transductive", "predictions"),
    "month 99": ("created", "9999-99-99T99:99:99Z", "is no time"),
    "30 February": ("created", "2024-02-30T12:00:00Z", "is no time"),
    "the future": ("created", "9999-12-31T23:59:59Z", "has not come yet"),
    "yesterday": ("created", "yesterday", "created"),
    "altered AMI": ("metrics", {"ami": 0.99}, "ami is claimed as 0.99"),
    "altered ACC": ("metrics", {"acc": 0.999}, "acc is claimed as 0.999"),
    "percent": ("metrics", {"acc": 45.0}, "fractions, not percent"),
    "beyond all": ("metrics", {"ami": 1e308}, "metrics.ami"),
    "unknown score": ("metrics", {"luck": 0.5}, "is no score here"),
    "name of a score": ("metrics", {ESCAPES: 0.5}, "metrics"),
    "many scores": ("metrics", {f"m{n}": 0.5 for n in range(2_000)}, "2,000 keys"),
    "predictions above": ("predictions.file", "../p.npz", "predictions.file"),
    "absolute predictions": ("predictions.file", "/etc/passwd", "predictions.file"),
    "backslashes": ("predictions.file", "..\\p.npz", "predictions.file"),
    "a drive": ("predictions.file", "C:p.npz", "predictions.file"),
    "pickle's suffix": ("predictions.file", "p.pkl", "predictions.file"),
    "long predictions": ("predictions.file", "p" * 400 + ".npz", "predictions.file"),
    "predictions with a NUL": ("predictions.file", "p\x00.npz", "predictions.file"),
    "hidden predictions": ("predictions.file", ".npz", "predictions.file"),
    "predictions of no name": ("predictions.file", "", "predictions.file"),
    "predictions that are not there": ("predictions.file", "q.npz", "is missing"),
    "another hash": ("predictions.sha256", "b" * 64, "is not the file whose hash"),
    "nothing": ("predictions", None, "neither predictions nor metrics"),
    "text for label-free": ("label_free", "yes", "label_free"),
    "lines of a source": ("source", "a\nb", "source"),
    "right-to-left submitter": ("submitter", "me\u202e", "submitter"),
    "unknown key": ("remark", 1, "remark"),
    "key of escapes": (ESCAPES, 1, "Extra inputs"),
    "status": ("status", "verified", "status"),
    "later version": ("schema", "clusterbench-submission/2", "this version reads"),
    "schema of another kind": ("schema", "clusterbench-leaderboard/2", "this version reads"),
    "number for a schema": ("schema", 1, "schema is 1"),
    "list for a schema": ("schema", ["clusterbench-submission/1"], "this version reads"),
    "list for a task": ("task", [], "task"),
    "number for features": ("features", 0, "features"),
}


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def zipped(method: int = zipfile.ZIP_STORED, **named: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in named.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def npy(shape: tuple[int, ...], data: bytes = b"", descr: str = "<i4") -> bytes:
    """An array in NumPy's format, whatever its data."""
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def twice() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file, pytest.warns(UserWarning):
        for _ in range(2):
            file.writestr("predictions.npy", npy((N,), ZEROS.tobytes()))
    return stream.getvalue()


class Danger:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch /tmp/clusterbench-unpickled",))


#: Contents of the predictions file, signed again, and a part of the reason.
PREDICTIONS: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (
        lambda: zipped(zipfile.ZIP_DEFLATED, predictions=npy((1 << 29,), bytes(50 << 20))),
        "predictions",
    ),
    "bomb of text": (
        lambda: zipped(
            zipfile.ZIP_DEFLATED,
            predictions=npy((N,), ZEROS.tobytes()),
            rows_sha256=npy((), bytes(40 << 20), "<U10000000"),
        ),
        "rows_sha256",
    ),
    "header of an exabyte": (lambda: zipped(predictions=npy((1 << 60,))), f"{1 << 60} predictions"),
    "cut off": (lambda: archive(predictions=ZEROS, rows_sha256=ROWS)[:-30], "damaged"),
    "no NumPy magic": (lambda: zipped(predictions=b"no array", rows_sha256=b"x"), "damaged"),
    "no zip": (lambda: b"PK\x03\x04 nothing", "damaged"),
    "empty": (lambda: b"", "damaged"),
    "compressed otherwise": (
        lambda: zipped(zipfile.ZIP_LZMA, predictions=npy((N,), ZEROS.tobytes())),
        "compressed by method",
    ),
    "pickled": (
        lambda: archive(predictions=np.array([Danger()] * N, object), rows_sha256=ROWS),
        "predictions are object",
    ),
    "a pickle": (lambda: pickle.dumps(Danger()), "damaged"),
    "floats": (
        lambda: archive(predictions=np.full(N, np.nan), rows_sha256=ROWS),
        "predictions are float64",
    ),
    "64 bits": (
        lambda: archive(predictions=ZEROS.astype(np.int64), rows_sha256=ROWS),
        "predictions are int64",
    ),
    "texts": (
        lambda: archive(predictions=np.array(["0"] * N), rows_sha256=ROWS),
        "predictions are <U1",
    ),
    "a column": (
        lambda: archive(predictions=ZEROS[:, None], rows_sha256=ROWS),
        f"with shape ({N}, 1)",
    ),
    "too few": (lambda: archive(predictions=ZEROS[1:], rows_sha256=ROWS), "19 predictions"),
    "too many": (
        lambda: archive(predictions=np.zeros(N + 1, np.int32), rows_sha256=ROWS),
        "21 predictions",
    ),
    "other rows": (lambda: archive(predictions=ZEROS, rows_sha256=ROWS), "predicts other rows"),
    "hashes of rows": (
        lambda: archive(predictions=ZEROS, rows_sha256=np.array(["a"] * 9)),
        "rows_sha256",
    ),
    "surplus array": (
        lambda: archive(predictions=ZEROS, rows_sha256=ROWS, more=ZEROS),
        "holds 'more'",
    ),
    "array above the folder": (
        lambda: zipped(**{"../precious": b"", "predictions": npy((N,))}),
        "holds '../precious'",
    ),
    "array twice": (twice, "holds an array twice"),
    "no predictions": (lambda: archive(rows_sha256=ROWS), "no array 'predictions'"),
    "large": (lambda: os.urandom(300_000), "at most"),
}


def sparse(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


#: What stands in the place of a submission or its predictions.
KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (fifo, "is a pipe"),
    "socket": (unix_socket, "is a socket"),
    "link to a device": (linked("/dev/zero"), "is a device"),
    "link to nothing": (linked("nowhere"), "is a link to a file that is not there"),
    "link to itself": (linked("itself"), "leads round in a circle"),
    "folder": (folder, "is a folder"),
    "64 GB": (sparse(1 << 36), "at most"),
}

HEAD = b'{"schema": "clusterbench-submission/1", '

#: Whole contents of a submission.
TEXTS: dict[str, tuple[bytes, str]] = {
    "deep": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "deep value": (HEAD + b'"x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, "nested too"),
    "NaN": (HEAD + b'"metrics": {"ami": NaN}}', "NaN is not JSON"),
    "Infinity": (HEAD + b'"metrics": {"ami": Infinity}}', "Infinity is not JSON"),
    "less than all": (HEAD + b'"metrics": {"ami": -Infinity}}', "-Infinity is not JSON"),
    "1e999": (HEAD + b'"metrics": {"ami": 1e999}}', "finite"),
    "many digits": (HEAD + b'"seed": ' + b"9" * 100_000 + b"}", "not whole JSON"),
    "a key twice": (HEAD + b'"seed": 0, "seed": 1}', "'seed' occurs twice"),
    "a schema twice": (HEAD + HEAD[1:] + b'"seed": 0}', "'schema' occurs twice"),
    "unknown keys": (HEAD + b",".join(b'"k%d":0' % n for n in range(400_000)) + b"}", "400,001"),
    "long text": (HEAD + b'"source": "' + b"x" * 15_000_000 + b'"}', "15,000,000 characters"),
    "numbers": (HEAD + b'"x": [' + b"0," * 7_000_000 + b"0]}", "7,000,"),
    "empty lists": (HEAD + b'"x": [' + b"[]," * 230_000 + b"0]}", "Field required"),
    "list": (b"[]", "no 'schema' key"),
    "null": (b"null", "no 'schema' key"),
    "empty": (b"", "not whole JSON"),
    "not UTF-8": (HEAD + b'"source": "\xff\xfe"}', "not whole JSON"),
    "UTF-16": ('{"schema": "clusterbench-submission/1"}'.encode("utf-16"), "JSON"),
    "truncated": (HEAD + b'"seed": ', "not whole JSON"),
    "binary": (bytes(range(256)) * 40, "not whole JSON"),
    "a pickle": (pickle.dumps(Danger()), "not whole JSON"),
    "markup": (b"<html><script>alert(1)</script></html>", "not whole JSON"),
}


def cases() -> dict[str, str]:
    """Each submission by its name, and a part of the reason."""
    found = {name: reason for name, (_, _, reason) in FIELDS.items()}
    found |= {f"predictions: {name}": reason for name, (_, reason) in PREDICTIONS.items()}
    found |= {f"predictions: {name}": reason for name, (_, reason) in KINDS.items()}
    found |= {f"file: {name}": reason for name, (_, reason) in KINDS.items()}
    found |= {f"text: {name}": reason for name, (_, reason) in TEXTS.items()}
    return {**found, "1 GB": "at most 17 MB", "only claims": "--self-reported"}


def written(into: Path, whole: Path) -> dict[str, Path]:
    """One bad submission for each case, made of a good one."""
    good, archive_ = json.loads(whole.read_text()), whole.with_suffix(".npz").read_bytes()
    paths = {}
    for number, name in enumerate(cases()):
        path = paths[name] = into / f"submission-{number:03d}.json"
        content = copy.deepcopy(good)
        content["predictions"]["file"] = f"{path.stem}.npz"
        path.with_suffix(".npz").write_bytes(archive_)
        kind, _, what = name.partition(": ")
        if kind == "predictions" and what in PREDICTIONS:
            path.with_suffix(".npz").write_bytes(made := PREDICTIONS[what][0]())
            content["predictions"]["sha256"] = hashlib.sha256(made).hexdigest()
        elif name in FIELDS:
            place, value, _ = FIELDS[name]
            if "." in place:
                put(content, place, copy.deepcopy(value))
            else:
                content[place] = copy.deepcopy(value)
        elif name == "only claims":
            content |= {"predictions": None, "metrics": {"ami": 0.9, "acc": 0.9}}
        path.write_text(json.dumps(content).replace(f'"{HUGE}"', "1" + "0" * 4_000))
        if kind == "predictions" and what in KINDS:
            KINDS[what][0](path.with_suffix(".npz"))
        elif kind == "file":
            KINDS[what][0](path)
        elif kind == "text":
            path.write_bytes(TEXTS[what][0])
        elif name == "1 GB":
            sparse(1 << 30)(path)
    return paths


def state(folder: Path) -> dict[str, str]:
    """What is in a folder, without reading it: 64 GB are much."""
    found = {path: path.lstat() for path in sorted(folder.rglob("*"))}
    return {str(p): f"{s.st_mode} {s.st_size} {s.st_mtime_ns}" for p, s in found.items()}


@pytest.fixture(scope="module")
def tried(
    tiny_files: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory, trial: Trials
) -> SimpleNamespace:
    """All of them between two good ones, through both verbs: what each said of each."""
    top = tmp_path_factory.mktemp("tried")
    into, home = top / "submissions", str(tiny_files.home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERBENCH_HOME", home)
        task = build("tiny-imbalance", registry.load("tiny"), ["ratio-4"])[0]
        np.save(top / "c.npy", np.arange(len(task.eval_rows)) % K)
        said = RunElsewhere("tiny-imbalance", "tiny", "mine", "blobs", "ratio-4")
        good = [
            write_submission(top / "c.npy", said, into / name).path
            for name in ("a-valid", "z-valid")
        ]
    z_valid = json.loads(good[1].read_text())
    good[1].write_text(json.dumps({**z_valid, "seed": 1}))
    paths = written(into, good[0])
    before, answers, trials = state(into), {}, []
    for verb, words in (("validate", ()), ("submit", ("-l", "board.json"))):
        found = trial(verb, into, *words, "--json", cwd=top, CLUSTERBENCH_HOME=home)
        trials.append(found)
        results = json.loads(found.out)["results"]
        answers[verb] = {Path(result["path"]): result for result in results}
    return SimpleNamespace(
        top=top, paths=paths, good=good, answers=answers, trials=trials, before=before, into=into
    )


def test_both_verbs_keep_within_seconds_and_a_gigabyte(tried: SimpleNamespace) -> None:
    """All of them together: what is the limit for each."""
    for found in tried.trials:
        assert found.code == 1 and found.err.count("Traceback") == 0
        found.within()
    assert len(tried.paths) >= 60


def test_the_good_ones_are_taken_and_nothing_else_is_written(tried: SimpleNamespace) -> None:
    assert [tried.answers["validate"][p]["status"] for p in tried.good] == ["ok"] * 2
    assert [tried.answers["submit"][p]["status"] for p in tried.good] == ["added"] * 2
    assert len(read_leaderboard(tried.top / "board.json").entries) == 2
    kept = list((tried.top / "board.json.predictions").iterdir())
    assert [path.suffix for path in kept] == [".npz"]  # both have the same predictions
    assert state(tried.into) == tried.before
    there = {path.name for path in tried.top.iterdir()} - {"c.npy", "submissions"}
    assert there == {"board.json", "board.json.lock", "board.json.predictions"}
    assert not Path("/tmp/clusterbench-unpickled").exists()


@pytest.mark.parametrize("name", cases())
def test_it_is_refused_with_its_reason(name: str, tried: SimpleNamespace) -> None:
    path = tried.paths[name]
    said = [tried.answers[verb][path] for verb in ("validate", "submit")]
    assert [answer["status"] for answer in said] == ["refused", "refused"]
    message, again = (answer["message"].partition(" (it is 20")[0] for answer in said)
    assert message == again
    assert path.name in message or path.with_suffix(".npz").name in message
    assert cases()[name] in message
    assert message.isprintable() and len(message) <= 2_000
    assert "cannot be verified" not in message  # said, but not foreseen
