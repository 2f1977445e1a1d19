# make build | tool | test | test-slow | test-survival | test-ranks | test-referees | test-full | test-mtcnn | test-checkpoints |
# test-transforms | test-report | sanitize | fuzz | cuda | test-cuda | test-cuda-full | test-cudnn | test-cudnn-full | test-gpu |
# package-gpu | demo | bench | bench-peers | bench-layers | bench-gpu | bench-deploy | bench-models | bench-caffe | bench-data |
# bench-ranks | experiment | data-glyphs | data-stamps | data-photographs | models | format | clean. Everything is built in
# build/; each target first installs what it misses of Debian.
.PHONY: build tool install test test-slow test-survival test-ranks test-referees test-full readers test-mtcnn test-checkpoints \
  test-transforms test-report sanitize fuzz cuda emulation emulated-suite test-cuda test-cuda-full test-cudnn test-cudnn-full \
  test-gpu package-gpu demo bench bench-peers bench-layers bench-gpu bench-deploy bench-models bench-caffe bench-data \
  bench-ranks experiment data-glyphs data-stamps data-photographs models format clean

BUILD ?= build
JOBS ?= $(shell nproc)

build: install $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)

# The program alone, without the tests.
tool: install $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target orepa_tool

install:
	@sh .ci/install.sh

$(BUILD)/build.ninja: | install
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_OPTIONS)

CTEST = ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --no-tests=error

test: build
	@$(CTEST) --label-exclude 'slow|full'

# What other programs read of the large models under models/.
test-slow: build
	@$(CTEST) --label-regex slow

# A thousand kills of small trainings, and all that may happen to one besides (docs/reliability.md).
KILLS ?= 1000
test-survival: build
	@TOOL=$(BUILD)/orepa_tool FAULTS=$(BUILD)/libsurvival_faults.so PYTHONDONTWRITEBYTECODE=1 \
	  /usr/bin/python3 tests/survival/kills.py --kills $(KILLS)
	@$(CTEST) --tests-regex '^survival\.faults$$'

# The same nets, and a model of each kind, shown to readers from PyPI, in a virtual environment, and event files to TensorBoard.
REFEREES = $(BUILD)/referees
KINDS = $(wildcard $(patsubst %,models/%/train_val.prototxt,fashion_mnist/* mobilenet_v1/* repvgg_a0/* resnet18/* resnet50/* \
  resnext50_32x4d/* $(addprefix caffe/,cifar10_full googlenet lenet mobilenet_v2 siamese squeezenet_1.1)))
CHECK = $(REFEREES)/bin/python tests/referees/check.py --tool $(BUILD)/orepa_tool --folder $(REFEREES)/files \
  --readers caffe,onnxruntime,onnx_checker,netron
readers: build
	@sh .ci/install.sh python3-venv nodejs
	@/usr/bin/python3 -m venv $(REFEREES)
	@$(REFEREES)/bin/pip install --quiet --requirement tests/referees/requirements.txt
	@sh tests/referees/caffe/build.sh $(REFEREES)
test-referees: readers
	@$(CHECK) tests/referees/nets/*.prototxt $(KINDS)
	@TESTS=$(BUILD)/orepa_tests $(REFEREES)/bin/python tests/referees/test_events.py
	@$(MAKE) --no-print-directory test-mtcnn

# What takes too long for every change: the larger ones of Caffe's nets (models/caffe) at full width, and all other models shown
# to all readers. Of LRCN these read nothing: its LSTM keeps states from pass to pass, which a file of ONNX cannot.
test-full: readers
	@$(CTEST) --label-regex '^full$$'
	@$(CHECK) $(filter-out $(KINDS) models/caffe/lrcn/%,$(wildcard models/*/*/train_val.prototxt))

# MTCNN with its trained weights beside PyTorch, and on photographs, a part of the above. The package pins a PyTorch of its own,
# but Debian's does.
FACENET = facenet-pytorch==2.6.0
test-mtcnn: build
	@sh .ci/install.sh python3-venv python3-torchvision python3-pil opencv-doc
	@/usr/bin/python3 -m venv $(REFEREES)
	@$(REFEREES)/bin/pip install --quiet --no-deps --upgrade --target $(REFEREES)/facenet $(FACENET)
	@TOOL=$(BUILD)/orepa_tool FACENET=$(REFEREES)/facenet PYTHONDONTWRITEBYTECODE=1 \
	  /usr/bin/python3 tests/referees/mtcnn/test_mtcnn.py

# Checkpoints through PyTorch itself: .pth to .caffemodel and back.
test-checkpoints: build
	@sh .ci/install.sh python3-torch
	@TOOL=$(BUILD)/orepa_tool /usr/bin/python3 tests/referees/test_checkpoints.py

# Pages of `orepa_tool report` in a headless Chromium. PICTURES=folder: with screenshots.
test-report: tool
	@sh .ci/install.sh chromium python3
	@TOOL=$(BUILD)/orepa_tool PICTURES=$(PICTURES) PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/report/check.py

# Decoding, resizing and changes of colour beside Pillow's and torchvision's.
test-transforms: build
	@sh .ci/install.sh python3-torchvision
	@/usr/bin/python3 tests/referees/test_transforms.py $(BUILD)/show_view

# The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer, on the device that answers late (tests/late_device.h).
sanitize:
	@OREPA_TEST_DEVICE=late $(MAKE) --no-print-directory test BUILD=build-sanitize CMAKE_OPTIONS=-DOREPA_SANITIZE=ON

# Trainings by several processes of Open MPI (docs/scaling.md), a part of the suite.
test-ranks: install
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_OPTIONS)
	@cmake --build $(BUILD) --parallel $(JOBS) --target orepa_tool talk
	@$(CTEST) --label-regex '^ranks$$'

# Fuzzers of everything that reads a file, FUZZ_SECONDS each; needs clang. What they have found stays in build-fuzz/corpus.
FUZZ_SECONDS ?= 1200
fuzz: install
	@sh .ci/install.sh clang libclang-rt-dev libomp-dev
	@cmake -S . -B build-fuzz -G Ninja -DOREPA_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
	@cmake --build build-fuzz --parallel $(JOBS)
	@sh tests/fuzz/run.sh build-fuzz $(FUZZ_SECONDS)

# The program with the CUDA backend, in build-cuda (docs/gpu.md), and what it says where there is no GPU.
cuda: install
	@cmake -S . -B build-cuda -G Ninja -DOREPA_CUDA=ON
	@cmake --build build-cuda --parallel $(JOBS) --target orepa_tool
	@sh tests/cuda_without_driver.sh build-cuda/orepa_tool

# The real cuDNN is asked about the graphs of the CUDA backend's plans, for devices that are described to it: no GPU is
# needed, the toolkit's headers and cuDNN are. All of the zoo and of Caffe's own nets, on all of them: half an hour.
test-cudnn: CUDNN_TESTS = ^cudnn$$
test-cudnn-full: CUDNN_TESTS = ^cudnn
test-cudnn test-cudnn-full: install
	@cmake -S . -B $(BUILD) -G Ninja -DOREPA_CUDNN_TESTS=ON
	@cmake --build $(BUILD) --parallel $(JOBS) --target cudnn_tests
	@$(CTEST) --label-regex '$(CUDNN_TESTS)'

# The suite on a CUDA device that the CPU emulates (tests/cudaemu), then what computes once more in the other two orders of
# a block's threads, convolutions without an engine of cuDNN, and a training beside the CPU's. Needs the toolkit's headers.
EMULATION = build-emulation
EMULATED = env OREPA_TEST_DEVICE=cuda:0 ctest --test-dir $(EMULATION) --parallel $(JOBS) --output-on-failure \
  --no-tests=error --label-exclude 'slow|full|referees'
COMPUTING = '^(Rows/LayerTest|Published/|Golden/|Cases/GoldenCaffe|Branches|TrainingStep|UpdateRule|Totals|NetMemory|Cpu/[BCP])'
test-cuda: emulated-suite
	@for order in 1 2; do CUDAEMU_ORDER=$$order $(EMULATED) --tests-regex $(COMPUTING) || exit 1; done
	@CUDAEMU_ENGINES=0 $(EMULATED) --tests-regex Convolution
	@sh tests/cudaemu/training.sh $(EMULATION)/orepa_tool

emulation: install
	@cmake -S . -B $(EMULATION) -G Ninja -DOREPA_CUDA_EMULATION=ON $(CMAKE_OPTIONS)
	@cmake --build $(EMULATION) --parallel $(JOBS)

emulated-suite: emulation
	@$(EMULATED)

# What of this CI has no time for: races between the threads of kernels, which ThreadSanitizer finds (a thread takes a
# millisecond, so in small grids), a longer training, and the suite under the other two sanitizers.
SMALL_GRIDS = '*Races*:Small/*:Large/*.Reduce[AC]*/0'
test-cuda-full: emulation
	@cmake --build $(EMULATION) --parallel $(JOBS) --target races_tests
	@OMP_NUM_THREADS=1 setarch -R $(EMULATION)/tests/cudaemu/races/races_tests --gtest_brief=1 --gtest_filter=$(SMALL_GRIDS)
	@sh tests/cudaemu/training.sh $(EMULATION)/orepa_tool 100
	@$(MAKE) --no-print-directory emulated-suite EMULATION=build-emulation-sanitize CMAKE_OPTIONS=-DOREPA_SANITIZE=ON

# The suite on the first GPU, by the CUDA backend itself: GPU_JOBS processes share it.
GPU_JOBS ?= 4
test-gpu: cuda
	@build-cuda/orepa_tool device_query | grep -q '^  cuda:0 ' || { \
	  echo "make test-gpu: there is no GPU here; build-cuda/orepa_tool device_query says why" >&2; exit 1; }
	@cmake --build build-cuda --parallel $(JOBS)
	@OREPA_TEST_DEVICE=cuda:0 ctest --test-dir build-cuda --parallel $(GPU_JOBS) --output-on-failure --no-tests=error \
	  --label-exclude 'slow|full'

# Program and tests for another machine's GPU (docs/gpu.md), in build-gpu/orepa-gpu and, packed, beside it: for every x86-64-v3,
# with what libraries they need.
PACKAGE = orepa-gpu
PACKAGE_MIB = 64
package-gpu: install
	@sh .ci/install.sh zstd
	@cmake -S . -B build-gpu -G Ninja -DOREPA_CUDA=ON -DOREPA_NATIVE=OFF -DCMAKE_CXX_FLAGS=-march=x86-64-v3 \
	  -DCMAKE_CUDA_FLAGS=-Xcompiler=-march=x86-64-v3
	@cmake --build build-gpu --parallel $(JOBS) --target orepa_tests
	@rm -rf build-gpu/$(PACKAGE)
	@cmake --install build-gpu --prefix build-gpu/$(PACKAGE) --strip >/dev/null
	@tar -C build-gpu --sort=name --zstd -cf build-gpu/$(PACKAGE).tar.zst $(PACKAGE)
	@du -m build-gpu/$(PACKAGE).tar.zst
	@[ $$(stat -c %s build-gpu/$(PACKAGE).tar.zst) -le $$(($(PACKAGE_MIB) << 20)) ] || { \
	  echo "make package-gpu: the package is larger than $(PACKAGE_MIB) MiB" >&2; exit 1; }

# Trains an OREPA ResNet on Fashion-MNIST, tests, converts, tests again. SHORT=1: about a minute.
demo: tool
	@BUILD=$(BUILD) SHORT=$(SHORT) sh models/fashion_mnist/demo.sh

# Steps of ResNet-18, plain, DBB and OREPA, beside torchvision's, and of RepVGG-A0. Wants a machine that does nothing else.
FLOAT = --programs 'pytorch1/*,orepa/*/float32'
bench: tool
	@sh .ci/install.sh python3-torchvision
	@/usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool $(FLOAT)
	@/usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool $(FLOAT) --batch 64 --rounds 3 --iterations 3
	@for batch in 16 64; do /usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool --model repvgg_a0 \
	  --batch $$batch --rounds 3 --iterations 3 || exit 1; done

# ResNet-18 in float32 and bf16 beside PyTorch of Debian and of PyPI and, where OREPA_PUBLISHED names a checkout of it, the
# published code. BENCH: options of tools/bench.py.
PEERS = build/peers
bench-peers: tool
	@sh .ci/install.sh python3-torchvision python3-venv python3-dev
	@/usr/bin/python3 -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --requirement tools/bench/requirements.txt
	@/usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool --pytorch2 $(PEERS)/bin/python --programs '*' $(BENCH)

# Each type of layer beside PyTorch's operation of the same name. BENCH: options of tools/bench_layers.py.
bench-layers: install $(BUILD)/build.ninja
	@sh .ci/install.sh python3-venv
	@/usr/bin/python3 -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --requirement tools/bench/requirements.txt
	@cmake --build $(BUILD) --parallel $(JOBS) --target layers
	@/usr/bin/python3 tools/bench_layers.py --orepa $(BUILD)/layers --pytorch $(PEERS)/bin/python $(BENCH)

# ResNet-18 and -50 at 256 and 64 images on the first GPU beside PyTorch and, as above, the published code, with the targets that
# there are (docs/gpu.md). BENCH: options of tools/bench.py.
bench-gpu: cuda
	@sh .ci/install.sh python3-venv python3-dev
	@/usr/bin/python3 -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --requirement tools/bench/requirements.txt
	@/usr/bin/python3 tools/bench.py --gpu --tool build-cuda/orepa_tool --pytorch2 $(PEERS)/bin/python $(BENCH)

# The zoo's deploy nets at batch 1 beside onnxruntime.
bench-deploy: tool
	@sh .ci/install.sh python3-venv
	@/usr/bin/python3 -m venv $(REFEREES)
	@$(REFEREES)/bin/pip install --quiet --requirement tests/referees/requirements.txt
	@$(REFEREES)/bin/python tools/bench/deploy.py --tool $(BUILD)/orepa_tool

# A step of every model and style: the times of README's table.
bench-models: tool
	@sh .ci/install.sh python3
	@for model in $$(ls models | grep -v -e fashion_mnist -e caffe); do /usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool \
	  --model $$model --rounds 2 --iterations 1 || exit 1; done

# Steps of the nets of models/caffe beside Caffe's own. BENCH: options of tools/bench/caffe.py.
bench-caffe: tool
	@sh .ci/install.sh python3-venv
	@/usr/bin/python3 -m venv $(REFEREES)
	@sh tests/referees/caffe/build.sh $(REFEREES)
	@/usr/bin/python3 tools/bench/caffe.py --tool $(BUILD)/orepa_tool --caffe $(REFEREES)/bin/caffe_step $(BENCH)

# Two processes of a thread each beside one of two threads. Wants a machine that does nothing else.
bench-ranks: tool
	@sh .ci/install.sh python3
	@/usr/bin/python3 tools/bench_ranks.py --tool $(BUILD)/orepa_tool

# Reading JPEG photographs beside torchvision's DataLoader. Wants a machine that does nothing else.
bench-data: install $(BUILD)/build.ninja data-photographs
	@sh .ci/install.sh python3-torchvision
	@cmake --build $(BUILD) --parallel $(JOBS) --target decoding
	@/usr/bin/python3 tools/bench_data.py --tool $(BUILD)/decoding --photographs $(BUILD)/data/photographs

# A network plain, with DBB blocks and with OREPA on two data sets (docs/results.md): eight hours of a processor. Stopped, it
# goes on where it was the next time.
experiment: tool data-glyphs
	@/usr/bin/python3 tools/experiment/run.py --tool $(BUILD)/orepa_tool --glyphs $(BUILD)/data/glyphs

# Data sets made of Debian packages, in $(BUILD)/data; data/README.md says what is in them. What is there is kept.
data-glyphs data-stamps data-photographs: data-%: $(BUILD)/data/%

$(BUILD)/data/glyphs: data/fonts.py
$(BUILD)/data/%: data/%.py data/packages/%.txt data/debian.py data/output.py
	@sh .ci/install.sh $$(cat data/packages/$*.txt)
	@rm -rf $@
	@/usr/bin/python3 $< --output $@

# The files under models/, where tools/zoo was changed.
models: build
	@$(BUILD)/generate_models models

format:
	@sh .ci/install.sh clang-format
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-sanitize build-fuzz build-cuda build-gpu build-emulation build-emulation-sanitize build-portable build-avx2
