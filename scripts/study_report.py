"""Write the tables and the figure of docs/small-study.md from the results of the small study.

    python scripts/study_report.py RESULTS [--document FILE] [--figure FILE]

Every result is scored again from its predictions' task; intervals resample images, with 200
resamples for each gap.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import documents
from study import figure, results, tables


def main() -> None:
    """Read, tabulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--document", type=Path, default=documents.DOCS / "small-study.md")
    parser.add_argument("--figure", type=Path, default=documents.DOCS / "images/small-study.svg")
    arguments = parser.parse_args()
    study = results.read(arguments.results)
    blocks = {f"scores {name}": tables.scores(study, name) for name in study}
    blocks |= {f"leads {name}": tables.leads(study, name) for name in study}
    blocks |= {"contrasts": tables.contrasts(study), "chains": tables.chains(study)}
    if arguments.document.exists():
        documents.write_blocks(arguments.document, blocks)
    else:
        documents.create(arguments.document, "The small study", blocks)
    figure.draw(study, arguments.figure)
    print(f"{arguments.document}, {arguments.figure}")


if __name__ == "__main__":
    main()
