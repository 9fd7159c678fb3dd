"""The verbs that build, show and verify tasks."""

import json

import numpy as np


def test_build_writes_manifests_and_prints_what_they_are(cli, tiny_world):
    code, out, err = cli("build", "--dataset", "tiny", "--benchmark", "tiny-imbalance")
    assert code == 0
    assert "tiny-imbalance/ratio-4" in out and " 4.7 " in out
    assert "2 manifests in manifests/tiny" in err
    folder = tiny_world.folder / "manifests" / "tiny" / "tiny-imbalance"
    assert sorted(p.name for p in folder.iterdir()) == ["ratio-1.json", "ratio-4.json"]
    first = (folder / "ratio-4.json").read_bytes()
    cli("build", "--dataset", "tiny", "--benchmark", "tiny-imbalance")
    assert (folder / "ratio-4.json").read_bytes() == first


def test_build_all_leaves_out_what_the_data_cannot_have(cli, tiny_world):
    code, out, err = cli("build", "-d", "tiny", "--output", "here")
    assert code == 0
    assert "whole/whole" in out and "scale/classes-all" in out
    assert "left out: granularity: " in err and "no class tree" in err
    assert (tiny_world.folder / "here" / "tiny" / "whole" / "whole.json").is_file()
    code, _, err = cli("build", "-d", "tiny", "-b", "granularity")
    assert code == 2 and "no class tree" in err


def test_build_one_task_as_json_with_arrays(cli, tiny_world):
    code, out, _ = cli(
        "build", "-d", "tiny", "-b", "tiny-imbalance", "-t", "ratio-4", "--arrays", "--json"
    )
    (row,) = json.loads(out)
    assert code == 0 and row["n_train"] == 32 and row["n_classes"] == 4
    content = json.loads((tiny_world.folder / row["manifest"]).read_text())
    assert content["manifest_hash"] == row["manifest_hash"]
    with np.load((tiny_world.folder / row["manifest"]).with_suffix(".npz")) as arrays:
        assert len(arrays["train_rows"]) == len(arrays["train_ids"]) == 32
        counts = np.bincount(arrays["train_targets"])
        assert counts.tolist() == content["train_counts"]
        name = content["class_names"][arrays["eval_targets"][0]]
        assert arrays["eval_ids"][0].decode().startswith(f"{name}/")


def test_build_takes_the_named_tasks_alone(cli):
    code, out, err = cli("build", "-d", "tiny", "-t", "ratio-4,classes-all")
    assert code == 0 and "2 manifests" in err
    assert "tiny-imbalance/ratio-4" in out and "scale/classes-all" in out
    code, _, err = cli("build", "-d", "tiny", "-t", "nope")
    assert code == 2 and "no task named nope was built for data set 'tiny'" in err


def test_files_that_cannot_be_read_are_named(cli, tiny_world):
    deep = tiny_world.folder / "deep.json"
    deep.write_text("[" * 100_000)
    code, out, _ = cli("verify", str(deep))
    assert code == 1 and "deep.json: not whole JSON" in out


def test_build_says_what_is_wrong(cli):
    assert "--dataset is missing; choose one of" in cli("build")[2]
    code, _, err = cli("build", "-d", "tiny", "-b", "tiny-imbalanc")
    assert code == 2 and "did you mean tiny-imbalance" in err
    code, _, err = cli("build", "-d", "tiny", "-b", "tiny-imbalance", "-t", "ratio-5")
    assert code == 2 and "did you mean ratio-4 or ratio-1" in err


def test_show_a_task_and_a_manifest(cli, tiny_world):
    code, out, _ = cli("show", "tiny-imbalance/tiny/ratio-4")
    assert code == 0
    for text in ("builder=ratio, ratio=4.0", "4: class-", "imbalance_ratio", "32 images, "):
        assert text in out
    cli("build", "-d", "tiny", "-b", "tiny-imbalance")
    assert cli("show", "manifests/tiny/tiny-imbalance/ratio-4.json")[1] == out
    content = json.loads(cli("show", "tiny-imbalance/tiny/ratio-4", "--json")[1])
    assert content["format"] == "clusterbench-task/2"
    code, _, err = cli("show", "ratio-4")
    assert code == 2 and "wanted BENCHMARK/DATASET/TASK" in err


def test_verify_tells_same_differing_edited_and_absent(cli, tiny_world):
    cli("build", "-d", "tiny", "-b", "tiny-imbalance")
    folder = tiny_world.folder / "manifests"
    code, out, err = cli("verify", "manifests")
    assert code == 0 and out.count("same") == 2 and "2 manifests: 2 same" in err

    from clusterbench.files import sha256_json

    path = folder / "tiny" / "tiny-imbalance" / "ratio-1.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "seed": 9}))
    code, out, err = cli("verify", "manifests")
    assert code == 1 and "the file was edited or damaged" in out and "1 differs" in err

    # A whole manifest of another seed: its hashes are right, its rows are not those of its recipe.
    content["recipe"]["seed"] = content["seed"] = 9
    del content["sha256"]
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))
    code, out, _ = cli("verify", str(path))
    assert code == 1 and "train differ in rows" in out

    identity = {k: content[k] for k in ("benchmark", "name", "n_classes", "train", "eval")}
    content["index_hash"] = "0" * 64
    content["manifest_hash"] = sha256_json({**identity, "index_hash": "0" * 64})
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))
    code, out, err = cli("verify", str(path))
    assert code == 0 and "no data set here has the index 000000000000" in out
    assert "0 same, 1 absent" in err
    assert cli("verify", "nowhere")[0] == 2
    (tiny_world.folder / "empty").mkdir()
    assert "holds no manifests" in cli("verify", "empty")[2]
