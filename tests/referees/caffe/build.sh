#!/bin/sh
# Builds caffe_forward and caffe_step into the virtual environment FOLDER: build.sh FOLDER
set -eu
SOURCE=brocolli-caffe-9.0.2
here=$(dirname "$0")
sh "$here/../../../.ci/install.sh" libboost-filesystem-dev libboost-thread-dev libopenblas-dev
if [ ! -d "$1/$SOURCE" ]; then
  "$1/bin/pip" download --quiet --no-deps --no-binary brocolli-caffe --dest "$1" brocolli-caffe==9.0.2
  mkdir -p "$1/unpacked"
  tar -xzf "$1/$SOURCE.tar.gz" -C "$1/unpacked"
  # VGG-16's file is larger than what the fork reads; BVLC Caffe has this limit.
  sed -i 's/SetTotalBytesLimit(536870912)/SetTotalBytesLimit(INT_MAX)/' "$1/unpacked/$SOURCE/src/caffe/util/io.cpp"
  mv "$1/unpacked/$SOURCE" "$1"  # only what is whole
fi
cmake -S "$here" -B "$1/caffe" -G Ninja -DCAFFE_SOURCE="$(realpath "$1/$SOURCE")" \
  -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$(realpath "$1/bin")"
cmake --build "$1/caffe"
