#!/bin/sh
# Runs the fuzzers of a build made with -DOREPA_FUZZ=ON, each for some seconds: run.sh BUILD SECONDS [TARGET...].
# What a target has found stays in BUILD/corpus/TARGET, what it crashed on in BUILD/crashes. Ends with 1 where one crashed.
set -eu
build=$(cd "$1" && pwd) seconds=$2
shift 2
[ $# -gt 0 ] || set -- net solver convert caffemodel h5 solverstate idx jpeg png tar datum list sample_index mean run
cd "$(dirname "$0")/../.."
corpus=$build/corpus crashes=$build/crashes here=$build/working/directory  # relative paths lead there
mkdir -p "$crashes" "$here"
export OMP_NUM_THREADS=1
# HDF5 may ask for more memory than there is; what it leaks then, and reads beyond, is its own.
export ASAN_OPTIONS="allocator_may_return_null=1:suppressions=$PWD/tests/fuzz/hdf5.supp"
export LSAN_OPTIONS="print_suppressions=0:suppressions=$PWD/tests/fuzz/hdf5_leaks.supp"
"$build/tests/fuzz/fuzz_seeds" "$corpus"

# Nets small enough that a mutation is not lost among their layers.
seed() {
  target=$1
  shift
  mkdir -p "$corpus/$target"
  find "$@" -size -24k | while read -r file; do
    cp -f "$file" "$corpus/$target/$(echo "$file" | tr / _)"
  done
}
for target in net convert; do
  seed $target tests/referees/nets tests/golden/caffe/layer tests/golden/caffe/net/legacy_v1_text tests/hostile models -name '*.prototxt' \
    ! -name 'solver*' ! -path '*fashion_mnist*'
done
seed solver tests/fuzz/seeds tests/hostile -name '*solver*.prototxt'
seed run tests/fuzz/seeds -name 'run.txt'
mkdir -p "$corpus/h5"

failed=
for target in "$@"; do
  echo "fuzzing $target for $seconds s"
  log=$build/$target.log
  if (cd "$here" && "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=30000 \
    -print_final_stats=1 -verbosity=1 -artifact_prefix="$crashes/$target-" "$corpus/$target") >"$log" 2>&1; then
    grep -a -E 'number_of_executed_units|peak_rss_mb' "$log"
  else
    failed="$failed $target"
    grep -a -E -m 5 'ERROR|Error|runtime error|SUMMARY' "$log" || true
  fi
done
[ -z "$failed" ] || { echo "crashed:$failed (inputs in $crashes, reports in $build/TARGET.log)"; exit 1; }
