#!/usr/bin/env bash
# The table of docs/methods.md: every method of the package on tasks of five data sets, with the
# settings of the preset laptop, five seeds each. Resumes where it was interrupted.
#
#   bash scripts/study/methods_table.sh [FOLDER]             # default: methods
#
# glyphs, fashion-mnist and digits take part where they were built (scripts/build_*.py). SEEDS=5 and
# METHODS=kmeans,temi,... change what is run. ALSO=fast,paper runs methods with heads with these
# presets, too, on what has a hundred images a class.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd) # scripts/
folder=${1:-methods}
seeds=${SEEDS:-5}
ALSO=${ALSO:-}
methods=${METHODS:-$(python -c 'from clusterbench.methods import METHODS; print(",".join(METHODS.built_in))')}
if ! python -c 'import graspologic_native' 2>/dev/null; then methods=${methods/,leiden/}; fi
known=$(clusterbench list datasets)
failed=0 # a method that fails on a task is a record, and the others go on

run() { # DATASET BENCHMARK TASKS
  if grep -q "^$1 " <<<"$known"; then
    echo "== $2 on $1"
    clusterbench run --results "$folder/results" --dataset "$1" --benchmark "$2" --task "$3" \
      --preset laptop --seeds "$seeds" --method "$methods" --references || failed=1
  fi
}

with_preset() { # PRESET DATASET BENCHMARK TASKS
  if grep -q "^$2 " <<<"$known"; then
    echo "== $3 on $2, $1"
    clusterbench run --results "$folder/results-$1" --dataset "$2" --benchmark "$3" --task "$4" \
      --preset "$1" --seeds "$seeds" --method temi,scanv2,scan,turtle,icon,sinkhorn,p2ot || failed=1
  fi
}

run icons-wordnet imbalanced ratio-1,ratio-30,zipf-10
run icons-wordnet granularity fine,coarse-50
run icons-wordnet easy easiest,hardest
run icons-wordnet scale classes-100
run emoji imbalanced subgroups-ratio-1,subgroups-ratio-30
run emoji granularity fine,groups
run emoji easy easiest,hardest
run glyphs imbalanced radicals-ratio-1,radicals-ratio-30
run fashion-mnist whole whole
run digits whole whole
run glyphs scale classes-1000 # the dearest last

for preset in ${ALSO//,/ }; do
  with_preset "$preset" digits whole whole
  with_preset "$preset" fashion-mnist whole whole
done

python "$here/methods_table.py" "$folder/results" ${ALSO:+--also "$ALSO"}
exit $failed
