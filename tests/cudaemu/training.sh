#!/bin/sh
# The demonstration's network trained on the CPU and on the emulated device: the losses of its first ten iterations differ
# by less than 1e-4. (Later ones drift: a training amplifies the last bits, the CPU's Winograd convolutions as well.)
set -eu
cd "$(dirname "$0")/../.."
tool=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed 's/batch_size: 128/batch_size: 16/' models/fashion_mnist/orepa/train_val.prototxt >"$folder/net.prototxt"

losses() { # losses NAME FLAGS...
  name=$1
  shift
  cat >"$folder/$name.prototxt" <<EOF
net: "$folder/net.prototxt"
type: "Nesterov" base_lr: 0.003 momentum: 0.9 weight_decay: 5e-4 lr_policy: "fixed"
max_iter: 10 display: 1 random_seed: 1 snapshot_prefix: "$folder/$name"
EOF
  "$tool" train --solver "$folder/$name.prototxt" "$@" >"$folder/$name.log"
  sed -n 's/^iteration .*  loss \([0-9.]*\) .*/\1/p' "$folder/$name.log" >"$folder/$name.losses"
}
losses cpu --algorithm DIRECT
CUDAEMU_GUARD=0 losses cuda --device cuda:0

paste "$folder/cpu.losses" "$folder/cuda.losses" | awk '
  { difference = $1 - $2; if (difference > 1e-4 || difference < -1e-4) { print "iteration " NR ": " $1 " on the CPU, " $2 " emulated"; bad = 1 } }
  END { if (NR != 10) { print "10 losses were expected, got " NR; bad = 1 } exit bad }'
echo "the first 10 losses of a training are the CPU's within 1e-4"
