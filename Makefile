# make build | test | demo | bench | format. Everything is built in build/; see README.md.
.PHONY: build test sanitize cuda-check demo bench format install clean

BUILD ?= build
JOBS ?= $(shell nproc)

install:
	@sh .ci/install.sh

$(BUILD)/build.ninja: | install
	cmake -S . -B $(BUILD) -G Ninja $(CMAKE_OPTIONS)

build: install $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)

test: build
	@ctest --test-dir $(BUILD) --output-on-failure $(CTEST_OPTIONS)

# The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize:
	@$(MAKE) test BUILD=build-sanitize CMAKE_OPTIONS=-DOREPA_SANITIZE=ON CTEST_OPTIONS="-LE slow"

# Compiles every layer and branch as CUDA (nvcc), links nothing.
cuda-check: install
	@cmake -S . -B build-cuda -G Ninja -DOREPA_CUDA_CHECK=ON
	@cmake --build build-cuda --parallel $(JOBS) --target cuda_check

# Trains an OREPA ResNet on Fashion-MNIST, tests, converts, tests again. SHORT=1: about a minute.
demo: build
	@BUILD=$(BUILD) SHORT=$(SHORT) sh models/fashion_mnist/demo.sh

# ResNet-18 beside torchvision's; installs Debian's python3-torchvision.
bench: build
	@sh .ci/install.sh .ci/bench-packages.txt
	@/usr/bin/python3 tools/bench.py --tool $(BUILD)/orepa_tool

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-sanitize build-cuda
