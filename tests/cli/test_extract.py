import json

import pytest
from extraction_toys import make_images

from clusterbench import FeatureStore

RECIPE = """
library = "python"
model = "extraction_toys:Flat"
dim = 12
[preprocessing]
size = 8
"""


@pytest.fixture
def extract(cli, monkeypatch, tmp_path):
    """`clusterbench extract` on 40 images with a user's recipe `flat`, in an empty folder."""
    (tmp_path / "home" / "features").mkdir(parents=True)
    (tmp_path / "home" / "features" / "flat.toml").write_text(RECIPE)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))
    make_images(tmp_path / "birds")
    return lambda *words: cli("extract", "--workers", "0", "--device", "cpu", *map(str, words))


def test_images_become_a_store_named_after_source_and_encoder(extract, tmp_path):
    code, out, err = extract("--source", "birds", "--encoder", "flat", "--val-per-class", 2)
    assert (code, err) == (0, "")
    assert out.startswith("birds-flat: 40 x 12 float16 features of flat, 4 classes, 32 train and 8")
    store = FeatureStore.open(tmp_path / "birds-flat")
    assert (store.n, store.encoder, store.verify()) == (40, "flat", [])
    code, out, _ = extract("--source", "birds", "--encoder", "flat", "--val-per-class", 2)
    assert code == 0 and "0 images in" in out and "40 from before" in out


def test_json_is_one_document(extract):
    code, out, _ = extract("--source", "birds", "--encoder", "flat", "--json")
    summary = json.loads(out)
    assert code == 0
    assert (summary["rows"], summary["new"], summary["broken"]) == (40, 40, 0)
    assert summary["identity"] == FeatureStore.open("birds-flat").identity


def test_dry_run_shows_the_plan_and_writes_nothing(extract, tmp_path):
    code, out, _ = extract("--source", "birds", "--encoder", "flat", "--dry-run")
    assert code == 0
    assert out.startswith("Would extract 40 of 40 images in 4 classes with flat (12 dimensions)")
    assert not (tmp_path / "birds-flat").exists()
    _, out, _ = extract("--source", "birds", "--encoder", "flat", "--dry-run", "--json")
    assert json.loads(out)["shards_to_do"] == 1


def test_options_can_be_environment_variables(extract, monkeypatch, tmp_path):
    monkeypatch.setenv("CLUSTERBENCH_EXTRACT_SOURCE", "birds")
    monkeypatch.setenv("CLUSTERBENCH_EXTRACT_ENCODER", "flat")
    monkeypatch.setenv("CLUSTERBENCH_EXTRACT_DTYPE", "float32")
    monkeypatch.setenv("CLUSTERBENCH_EXTRACT_OUTPUT", "elsewhere")
    assert extract()[0] == 0
    assert FeatureStore.open(tmp_path / "elsewhere").dtype.name == "float32"


def test_what_was_left_out_is_said(extract, tmp_path):
    (tmp_path / "birds" / "c0" / "notes.txt").write_text("")
    (tmp_path / "birds" / "c1" / "001.png").write_bytes(b"broken")
    (tmp_path / "birds" / "empty").mkdir()
    words = ("--source", "birds", "--encoder", "flat", "--max-broken", 0.1)
    code, out, _ = extract(*words)
    assert code == 0
    assert "1 broken" in out and "broken images and why: birds-flat/broken.jsonl" in out
    assert "1 class holds no image (for example empty)" in out
    assert "1 file or member was ignored" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "--source is missing"),
        (["--source", "birds"], 2, "--encoder is missing; choose one of"),
        (["--source", "bird", "--encoder", "flat"], 2, "source bird does not exist"),
        (
            ["--source", "birds", "--encoder", "flta"],
            2,
            "unknown encoder 'flta'; did you mean flat?",
        ),
        (
            ["--source", "birds", "--encoder", "flat", "--dtype", "int8"],
            2,
            "--dtype 'int8'; w",
        ),
        (["--source", "birds", "--encoder", "flat", "--batch-size", "0"], 2, "--batch-size"),
        (["--source", "birds", "--encoder", "flat", "--device", "tpu9"], 2, "device 'tpu9'"),
        (
            ["--source", "birds", "--encoder", "flat", "--weights", "x.pth"],
            2,
            "x.pth: no such file",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(extract, words, code, message):
    found, out, err = extract(*words)
    assert (found, out) == (code, "")
    assert message in err and err.count("\n") <= 3


def test_too_many_broken_images_are_exit_code_1(extract, tmp_path):
    for path in (tmp_path / "birds" / "c0").iterdir():
        path.write_bytes(b"broken")
    code, out, err = extract("--source", "birds", "--encoder", "flat")
    assert (code, out) == (1, "")
    assert "10 of 40 images cannot be read (25.00%), more than --max-broken 0.01" in err


def test_another_precision_is_refused_and_the_difference_is_named(extract):
    assert extract("--source", "birds", "--encoder", "flat")[0] == 0
    code, _, err = extract("--source", "birds", "--encoder", "flat", "--precision", "bf16")
    assert code == 2
    assert "birds-flat holds other features: details.precision: found fp32, wanted bf16" in err


def test_images_that_other_processes_did_are_told_apart(extract, monkeypatch):
    """Given a process that finds half of what it planned done when it comes to it."""

    from clusterbench.features.extract import job

    monkeypatch.setattr(job, "extract", _half_by_others(job.extract), raising=True)
    code, out, _ = extract("--source", "birds", "--encoder", "flat")
    assert code == 0
    assert out.splitlines()[1].startswith("20 images in ")
    assert out.splitlines()[2] == "20 images were done by other processes"


def _half_by_others(extract):
    import dataclasses

    return lambda *arguments, **options: dataclasses.replace(
        extract(*arguments, **options), n_new=20
    )
