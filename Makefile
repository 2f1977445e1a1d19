# make build | test | sanitize | cuda-check | demo | bench | models | format | clean. Everything is built in
# build/; each target first installs the Debian packages that it misses.
.PHONY: build install test sanitize cuda-check demo bench models format clean

BUILD ?= build
JOBS ?= $(shell nproc)

build: install $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)

install:
	@sh .ci/install.sh

$(BUILD)/build.ninja: | install
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_OPTIONS)

test: build
	@ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --no-tests=error

# The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize:
	@$(MAKE) --no-print-directory test BUILD=build-sanitize CMAKE_OPTIONS=-DOREPA_SANITIZE=ON

# Compiles every layer and branch as CUDA (nvcc), links nothing.
cuda-check: install
	@cmake -S . -B build-cuda -G Ninja -DOREPA_CUDA_CHECK=ON
	@cmake --build build-cuda --parallel $(JOBS) --target cuda_check

# Trains an OREPA ResNet on Fashion-MNIST, tests, converts, tests again. SHORT=1: about a minute.
demo: build
	@BUILD=$(BUILD) SHORT=$(SHORT) sh models/fashion_mnist/demo.sh

# ResNet-18 beside torchvision's.
bench: build
	@sh .ci/install.sh python3-torchvision
	@/usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool

# The files under models/, where tools/zoo was changed.
models: build
	@$(BUILD)/generate_models models

format:
	@sh .ci/install.sh clang-format
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-sanitize build-cuda
