#!/bin/sh
# What a program with the CUDA backend does where there is no GPU, or none that it may see: runs on the
# CPU without a library of CUDA, and refuses a GPU in one line, writing nothing.
#     sh tests/cuda_without_driver.sh build-cuda/orepa_tool
set -eu
tool=$(realpath "$1")
cd "$(dirname "$0")/.."
net=$PWD/models/resnet18/plain/train_val.prototxt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export CUDA_VISIBLE_DEVICES=
printf 'net: "%s" max_iter: 1 snapshot_prefix: "snap"' "$net" >solver
{ cat solver; printf ' solver_mode: GPU'; } >gpu_solver
before=$(ls)

fail() {
  printf 'tests/cuda_without_driver.sh: %s\n' "$*" >&2
  exit 1
}

# refuses WORDS COMMAND...: exit code 1 and one line that has WORDS.
refuses() {
  words=$1
  shift
  code=0
  said=$("$tool" "$@" 2>&1) || code=$?
  [ "$code" = 1 ] || fail "$*: exit code $code, not 1: $said"
  [ "$(printf '%s\n' "$said" | wc -l)" = 1 ] || fail "$*: more than a line: $said"
  case $said in
    *"$words"*) printf '%s\n    %s\n' "$*" "$said" ;;
    *) fail "$*: \"$words\" is not in: $said" ;;
  esac
}
refuses "use --device cpu" train --solver solver --device cuda:0
refuses "use --device cpu" train --solver solver --gpu 0
refuses "use --device cpu" train --solver gpu_solver
refuses "gpu_solver:1:" train --solver gpu_solver
refuses "use --device cpu" time --model "$net" --device cuda:0
refuses "mpirun -np 2 orepa_tool train" train --solver solver --gpu 0,1
refuses "mpirun -np N orepa_tool train" train --solver solver --gpu all
[ "$(ls)" = "$before" ] || fail "files were written: $(ls)"

# The shared object is found, and all that it needs, in the program and in the libraries.
said=$("$tool" device_query)
printf '%s\n' "$said"
for words in "built with CUDA" "libraries cuBLAS 13" "devices   none"; do
  case $said in
    *"$words"*) ;;
    *) fail "device_query: \"$words\" is not there" ;;
  esac
done

# A program that computes on the CPU loads none of them.
LD_DEBUG=libs LD_DEBUG_OUTPUT=libraries "$tool" layers >list
grep -hE 'calling init: .*/lib(cuda|cublas|cudnn|nv|orepa_cuda)[^/]*$' libraries.* && fail "libraries of CUDA are loaded without need"
grep -q 'calling init: .*/libprotobuf' libraries.* || fail "the list of loaded libraries is not understood"
echo "tests/cuda_without_driver.sh: passed"
