#!/usr/bin/env bash
# The small study: the questions of docs/small-study.md on icons-wordnet, emoji and, where it was built
# (scripts/build_glyphs.py), glyphs. Resumes where it was interrupted.
#
#   bash scripts/reproduce_small_study.sh [FOLDER]     # default: study
#
# SEEDS=5 by default, at most 3 of them on glyphs. Takes about an hour on two busy cores.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-study}
seeds=${SEEDS:-5}
run() {
  clusterbench run --results "$folder/results" \
    --method kmeans,smoothed-kmeans,temi,scanv2 -p temi.n_neighbors=6 \
    -p temi.select=loss -p scanv2.select=loss "$@"
  # k-means as it is commonly run, for what its start gives.
  local words=()
  for word in "$@"; do [ "$word" = --references ] || words+=("$word"); done
  clusterbench run --results "$folder/results/random-starts" "${words[@]}" \
    --method kmeans -p kmeans.init=random -p kmeans.n_init=10
}

for dataset in icons-wordnet emoji; do
  for benchmark in imbalanced granularity easy multilabel scale; do
    echo "== $benchmark on $dataset"
    run --benchmark "$benchmark" --dataset "$dataset" --seeds "$seeds" --references
  done
done
run --benchmark granularity-inner --dataset icons-wordnet --seeds "$seeds" --references

known=$(clusterbench list datasets) # whole, as grep -q would close a pipe that is still written to
if grep -q '^glyphs ' <<<"$known"; then
  echo "== glyphs"
  few=$((seeds < 3 ? seeds : 3))
  run --benchmark imbalanced --dataset glyphs --seeds "$few" --references
  run --benchmark granularity --dataset glyphs --seeds "$few"
  run --benchmark multilabel --dataset glyphs --seeds "$few"
  run --benchmark scale --dataset glyphs --seeds "$few" --task classes-100,classes-300,classes-1000
fi

rm -f "$folder/small-study.md" # made anew: another data set may have come
python "$here/scripts/study_report.py" "$folder/results" \
  --document "$folder/small-study.md" --figure "$folder/small-study.svg"
