#!/bin/sh
# The main job on real data: trains an OREPA ResNet on Fashion-MNIST, tests it, merges it into the
# plain network for use, and tests that. SHORT=1: one epoch only. Files go to runs/fashion_mnist.
set -eu
cd "$(dirname "$0")/../.."
tool=${BUILD:-build}/orepa_tool
model=models/fashion_mnist/orepa/train_val.prototxt
solver=models/fashion_mnist/orepa/solver.prototxt
out=runs/fashion_mnist
least=0.92
shorter=
if [ "${SHORT:-}" = 1 ]; then
  least=0.80
  shorter="--set max_epoch=1 --set warmup_epoch=0.2"
fi

echo "== training"
"$tool" train --solver $solver --overwrite $shorter
weights=$out/orepa_latest.caffemodel

echo "== testing the trained network"
"$tool" test --model $model --weights "$weights" >$out/test_before.txt
cat $out/test_before.txt

echo "== converting"
"$tool" convert --model $model --weights "$weights" --output $out/deploy.prototxt \
  --output_weights $out/deploy.caffemodel --output_test $out/deploy_test.prototxt >$out/convert.txt
cat $out/convert.txt

echo "== testing the converted network"
"$tool" test --model $out/deploy_test.prototxt --weights $out/deploy.caffemodel --weights_strict \
  >$out/test_after.txt
cat $out/test_after.txt

for net in $model $out/deploy_test.prototxt; do
  "$tool" time --model $net --phase TEST --iterations 20 --json
done >$out/time.txt

before=$(sed -n 's/^accuracy = //p' $out/test_before.txt)
after=$(sed -n 's/^accuracy = //p' $out/test_after.txt)
difference=$(sed -n 's/^largest error.* \([^ ]*\) absolute$/\1/p' $out/convert.txt)
parameters=$(sed -n 's/^parameters: //p' $out/convert.txt)
speed=$(sed -n 's/.*"images_per_second": \([0-9]*\).*/\1/p' $out/time.txt | sed 'N;s/\n/ -> /')
cat <<END

== summary                           OREPA -> converted
test accuracy (10,000 images):       $before -> $after
largest difference of the logits:    $difference
parameters:                          $parameters
inference, images/s:                 $speed
trained weights:                     $weights
converted network:                   $out/deploy.prototxt
converted weights:                   $out/deploy.caffemodel
END

# The logits' rounding may turn at most a sample in ten thousand.
awk -v before="$before" -v after="$after" -v least=$least 'BEGIN {
  if (before < least) { print "the test accuracy is below " least; exit 1 }
  if (before - after > 0.00015 || after - before > 0.00015) { print "the accuracies differ"; exit 1 }
}'
