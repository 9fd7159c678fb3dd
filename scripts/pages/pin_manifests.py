"""Pin the tasks of the shipped data sets: write `benchmarks/manifests/<data set>/`.

    python scripts/pages/pin_manifests.py

`build` and `run` refuse a task that differs from its pinned manifest, so a change of a builder or a
recipe shows here, in the files of the commit that makes it, and nowhere else.
"""

from __future__ import annotations

import shutil

from clusterbench import catalog
from clusterbench.benchmarks import manifest, names
from clusterbench.benchmarks.build import build_declaration
from clusterbench.benchmarks.declaration import read
from clusterbench.datasets import registry


def main() -> None:
    """Write every manifest anew; those of tasks that are gone are removed."""
    benchmarks = catalog.shipped("benchmarks")
    folder = benchmarks / "manifests"
    for path in sorted(catalog.shipped("features").glob(f"*/{registry.DECLARATION}")):
        dataset = registry.read(path.parent)
        shutil.rmtree(folder / dataset.name, ignore_errors=True)
        n = 0
        for name in names():
            declared = benchmarks / f"{name}.toml"
            if not declared.is_file() or dataset.name not in read(declared).datasets:
                continue
            for task in build_declaration(read(declared), dataset):
                manifest.write(task, manifest.path_of(folder, dataset.name, name, task.name))
                n += 1
        print(f"{dataset.name}: {n} manifests")


if __name__ == "__main__":
    main()
