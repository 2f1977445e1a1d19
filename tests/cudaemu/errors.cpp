#include "tests/cudaemu/errors.h"

#include <cstdlib>

#include "tests/cudaemu/cuda_emu.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

cudaError_t last_error = cudaSuccess;

struct {
  const char* kernel = nullptr;  // null where all is well
  cudaError_t error = cudaSuccess;
} unchecked;

struct Text {
  cudaError_t error;
  const char *name, *text;
};

// Of the errors that the emulation returns, as libcudart has them.
constexpr Text kTexts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
};

Text text_of(cudaError_t error) {
  for (const Text& text : kTexts)
    if (text.error == error) return text;
  return {error, "unrecognized error code", "unrecognized error code"};
}

}  // namespace

cudaError_t failed(cudaError_t error) { return last_error = error; }

void require_launches_checked() {
  if (unchecked.kernel == nullptr) return;
  const char* kernel = unchecked.kernel;
  unchecked.kernel = nullptr;
  violation("a launch failed with ", text_of(unchecked.error).name,
            ", and nobody looked at what it returned: ", kernel);
}

LaunchStatus::~LaunchStatus() {
  if (read_ || error_ == cudaSuccess) return;
  static const int at_end = std::atexit(require_launches_checked);
  if (at_end != 0) violation("the end of the program cannot be waited for");
  unchecked = {kernel_, error_};
}

}  // namespace cudaemu

using namespace cudaemu;

extern "C" {

cudaError_t cudaGetLastError() {
  unchecked.kernel = nullptr;
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() {
  unchecked.kernel = nullptr;
  return last_error;
}

const char* cudaGetErrorName(cudaError_t error) { return text_of(error).name; }

const char* cudaGetErrorString(cudaError_t error) { return text_of(error).text; }

}  // extern "C"
