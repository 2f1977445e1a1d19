// What the project uses of cuDNN, on the CPU: descriptors of the graph API, engines to choose from,
// and an interpreter of graphs of convolutions, sums and ReLUs.
//
// Graphs are offered the engines that a caller has to know how to refuse, in this order: one that
// gives other bits in every run, one that takes too much memory, one that cannot be made ready, one
// that rounds float32 to TF32. Only then comes a good one. As the real library does, it knows none
// for a depthwise convolution in bfloat16 with something behind it, nor for one whose types differ.
#include <cudnn.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "orepa/numbers.h"
#include "tests/cudaemu/emulation.h"
#include "tests/cudaemu/settings.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

using orepa::BFloat16;

thread_local std::string last_error;

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
  last_error = why;
  return status;
}

enum class Engine { kNondeterministic, kHungry, kBroken, kTf32, kGood };
constexpr int64_t kWorkspace = 256, kTooMuch = int64_t{1} << 50;

struct Stored;
using Shared = std::shared_ptr<Stored>;  // as in cuDNN, who uses a descriptor keeps what it held

struct Attribute {
  cudnnBackendAttributeType_t type;
  std::vector<char> bytes;
  std::vector<Shared> descriptors;
};

struct Stored {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes = {};
  Engine engine = Engine::kGood;  // of a configuration or an engine

  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name) const {
    const auto found = attributes.find(name);
    if (found == attributes.end()) return {};
    std::vector<T> values(found->second.bytes.size() / sizeof(T));
    std::memcpy(values.data(), found->second.bytes.data(), values.size() * sizeof(T));
    return values;
  }
  template <class T>
  T one(cudnnBackendAttributeName_t name) const {
    const auto found = attributes.find(name);
    T value{};
    if (found != attributes.end() && found->second.bytes.size() == sizeof(T))
      std::memcpy(&value, found->second.bytes.data(), sizeof(T));
    return value;
  }
  const std::vector<Shared>& descriptors(cudnnBackendAttributeName_t name) const {
    static const std::vector<Shared> none;
    const auto found = attributes.find(name);
    return found == attributes.end() ? none : found->second.descriptors;
  }
  const Stored* descriptor(cudnnBackendAttributeName_t name) const {
    const std::vector<Shared>& all = descriptors(name);
    return all.empty() ? nullptr : all[0].get();
  }
};

Shared& shared(cudnnBackendDescriptor_t descriptor) { return *static_cast<Shared*>(descriptor); }

int64_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    default:
      return 4;
  }
}

// A tensor as its descriptor says.
struct Layout {
  std::vector<int64_t> extents, strides;
  cudnnDataType_t type;

  explicit Layout(const Stored& tensor)
      : extents(tensor.all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        strides(tensor.all<int64_t>(CUDNN_ATTR_TENSOR_STRIDES)),
        type(tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)) {}

  // From the first number to the last.
  size_t bytes() const {
    int64_t last = 0;
    for (size_t axis = 0; axis < 4; ++axis) last += (extents[axis] - 1) * strides[axis];
    return static_cast<size_t>(last + 1) * (type == CUDNN_DATA_FLOAT ? 4 : 2);
  }
};

// And its numbers in float, N, H, W, C one after another.
struct Numbers : Layout {
  std::vector<float> values;

  explicit Numbers(const Stored& tensor)
      : Layout(tensor),
        values(static_cast<size_t>(extents[0] * extents[1] * extents[2] * extents[3])) {}

  float* pixel(int64_t n, int64_t h, int64_t w) {
    return &values[static_cast<size_t>(((n * extents[2] + h) * extents[3] + w) * extents[1])];
  }
  // Calls visit(value, its distance in memory).
  template <class Visit>
  void each(Visit visit) {
    for (int64_t n = 0; n < extents[0]; ++n)
      for (int64_t h = 0; h < extents[2]; ++h)
        for (int64_t w = 0; w < extents[3]; ++w)
          for (int64_t c = 0; c < extents[1]; ++c)
            visit(pixel(n, h, w)[c],
                  n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3]);
  }
  void read(const void* memory) {
    if (type == CUDNN_DATA_FLOAT)
      each([&](float& value, int64_t at) { value = static_cast<const float*>(memory)[at]; });
    else
      each([&](float& value, int64_t at) {
        value = static_cast<const BFloat16*>(memory)[at].value();
      });
  }
  void write(void* memory) {
    if (type == CUDNN_DATA_FLOAT)
      each([&](float value, int64_t at) { static_cast<float*>(memory)[at] = value; });
    else
      each([&](float value, int64_t at) {
        static_cast<BFloat16*>(memory)[at] = BFloat16::of(value);
      });
  }
  // Products of TF32 have factors of 10 bits.
  void round_to_tf32() {
    for (float& value : values) {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      bits = (bits + 0x1000) & ~uint32_t{0x1fff};
      std::memcpy(&value, &bits, sizeof bits);
    }
  }
};

struct Windows {
  std::vector<int64_t> pad, stride, dilation;
  explicit Windows(const Stored& convolution)
      : pad(convolution.all<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)),
        stride(convolution.all<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)),
        dilation(convolution.all<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS)) {}
  int64_t output(int64_t in, int64_t kernel, size_t axis) const {
    return (in + 2 * pad[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis] + 1;
  }
};

// The descriptors of a convolution's operation, whatever its direction.
struct Convolution {
  const Stored *windows, *x, *kernel, *y;
  explicit Convolution(const Stored& o) {
    switch (o.type) {
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        windows = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
        x = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X);
        kernel = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
        y = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
        break;
      case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        windows = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
        x = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX);
        kernel = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W);
        y = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY);
        break;
      default:
        windows = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
        x = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X);
        kernel = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW);
        y = o.descriptor(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY);
    }
  }
};

bool is_convolution(const Stored& operation) {
  return operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
}

// Calls visit(pixel of x, pixel of y, tap's channels of output o, o) for every product of vectors,
// where o is in [begin, end) and n, the sample, in [first, last).
template <class Visit>
void for_each_tap(const Windows& windows, Numbers& x, Numbers& kernel, Numbers& y, int64_t first,
                  int64_t last, int64_t begin, int64_t end, Visit visit) {
  const int64_t inputs = kernel.extents[1], groups = x.extents[1] / inputs;
  const int64_t outputs = y.extents[1] / groups;
  for (int64_t n = first; n < last; ++n)
    for (int64_t oh = 0; oh < y.extents[2]; ++oh)
      for (int64_t ow = 0; ow < y.extents[3]; ++ow)
        for (int64_t kh = 0; kh < kernel.extents[2]; ++kh)
          for (int64_t kw = 0; kw < kernel.extents[3]; ++kw) {
            const int64_t h = oh * windows.stride[0] - windows.pad[0] + kh * windows.dilation[0];
            const int64_t w = ow * windows.stride[1] - windows.pad[1] + kw * windows.dilation[1];
            if (h < 0 || h >= x.extents[2] || w < 0 || w >= x.extents[3]) continue;
            float* from = x.pixel(n, h, w);
            for (int64_t o = begin; o < end; ++o)
              visit(from + o / outputs * inputs, y.pixel(n, oh, ow), kernel.pixel(o, kh, kw), o);
          }
}

void convolve(cudnnBackendDescriptorType_t direction, const Windows& windows, Numbers& x,
              Numbers& kernel, Numbers& y) {
  const int64_t samples = x.extents[0], outputs = y.extents[1], inputs = kernel.extents[1];
  if (direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < samples; ++n)
      for_each_tap(windows, x, kernel, y, n, n + 1, 0, outputs,
                   [&](const float* from, float* to, const float* tap, int64_t o) {
                     float sum = 0;
#pragma omp simd reduction(+ : sum)
                     for (int64_t i = 0; i < inputs; ++i) sum += from[i] * tap[i];
                     to[o] += sum;
                   });
  } else if (direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < samples; ++n)
      for_each_tap(windows, x, kernel, y, n, n + 1, 0, outputs,
                   [&](float* to, const float* from, const float* tap, int64_t o) {
#pragma omp simd
                     for (int64_t i = 0; i < inputs; ++i) to[i] += from[o] * tap[i];
                   });
  } else {
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < outputs; ++o) {
      const size_t begin = static_cast<size_t>(kernel.pixel(o, 0, 0) - kernel.values.data());
      std::vector<double> sums(kernel.values.size() / static_cast<size_t>(outputs));
      for_each_tap(windows, x, kernel, y, 0, samples, o, o + 1,
                   [&](const float* from, const float* gradient, const float* tap, int64_t) {
                     double* to = &sums[static_cast<size_t>(tap - &kernel.values[begin])];
#pragma omp simd
                     for (int64_t i = 0; i < inputs; ++i) to[i] += from[i] * gradient[o];
                   });
      for (size_t i = 0; i < sums.size(); ++i)
        kernel.values[begin + i] = static_cast<float>(sums[i]);
    }
  }
}

// One run of a graph.
class Run {
 public:
  Run(std::map<int64_t, void*> memory, Engine engine)
      : memory_(std::move(memory)), engine_(engine) {}

  void operation(const Stored& operation) {
    if (is_convolution(operation))
      convolution(operation);
    else
      pointwise(operation);
  }

 private:
  Numbers read(const Stored& tensor) {
    const auto id = tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    const auto between = intermediates_.find(id);
    if (between != intermediates_.end()) return between->second;
    Numbers numbers(tensor);
    numbers.read(memory_.at(id));
    return numbers;
  }
  void write(const Stored& tensor, Numbers& numbers) {
    const auto id = tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    if (tensor.one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL))
      intermediates_.insert_or_assign(id, numbers);
    else
      numbers.write(memory_.at(id));
  }

  void convolution(const Stored& operation) {
    const Convolution c(operation);
    const Stored* written = c.y;
    if (operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
      written = c.x;
    if (operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
      written = c.kernel;
    const auto numbers = [&](const Stored* tensor) {
      if (tensor == written) return Numbers(*tensor);
      Numbers numbers = read(*tensor);
      if (engine_ == Engine::kTf32) numbers.round_to_tf32();
      return numbers;
    };
    Numbers x = numbers(c.x), kernel = numbers(c.kernel), y = numbers(c.y);
    convolve(operation.type, Windows(*c.windows), x, kernel, y);
    if (engine_ == Engine::kNondeterministic) {
      static float runs = 0;
      runs += 1e-6f;
      for (Numbers* numbers : {&x, &kernel, &y})
        for (float& value : numbers->values) value *= 1 + runs;
    }
    write(*written, written == c.y ? y : written == c.x ? x : kernel);
  }

  void pointwise(const Stored& operation) {
    Numbers y = read(*operation.descriptor(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
    const Stored& to = *operation.descriptor(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    if (const Stored* b = operation.descriptor(CUDNN_ATTR_OPERATION_POINTWISE_BDESC)) {
      const std::vector<float> bias = read(*b).values;  // one a channel
      for (size_t i = 0; i < y.values.size(); ++i) y.values[i] += bias[i % bias.size()];
    } else {
      for (float& value : y.values) value = value < 0 ? 0 : value;
    }
    Numbers result(to);
    result.values = y.values;
    write(to, result);
  }

  std::map<int64_t, void*> memory_;
  Engine engine_;
  std::map<int64_t, Numbers> intermediates_;
};

// By their ids.
std::map<int64_t, const Stored*> tensors_in_memory(const Stored& graph) {
  std::map<int64_t, const Stored*> tensors;
  for (const Shared& operation : graph.descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS))
    for (const auto& [name, attribute] : operation->attributes)
      for (const Shared& value : attribute.descriptors)
        if (value->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR &&
            !value->one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL))
          tensors[value->one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)] = value.get();
  return tensors;
}

// What is wrong with a descriptor that is to be finalised; empty where nothing is.
std::string fault(const Stored& descriptor) {
  if (descriptor.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
    const auto extents = descriptor.all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
    if (extents.size() != 4 || descriptor.all<int64_t>(CUDNN_ATTR_TENSOR_STRIDES).size() != 4)
      return "a tensor has to have 4 extents and strides";
    if (*std::min_element(extents.begin(), extents.end()) < 1) return "an extent is not positive";
    const auto type = descriptor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
    if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16)
      return "a type that is not emulated";
  } else if (descriptor.type == CUDNN_BACKEND_POINTWISE_DESCRIPTOR) {
    const auto mode = descriptor.one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    if (mode != CUDNN_POINTWISE_ADD && mode != CUDNN_POINTWISE_RELU_FWD)
      return "a pointwise mode that is not emulated";
  } else if (is_convolution(descriptor)) {
    const Convolution c(descriptor);
    if (!c.windows || !c.x || !c.kernel || !c.y) return "a convolution lacks a descriptor";
    const Windows windows(*c.windows);
    const Layout x(*c.x), kernel(*c.kernel), y(*c.y);
    if (x.extents[0] != y.extents[0] || kernel.extents[0] != y.extents[1] ||
        x.extents[1] % kernel.extents[1] != 0)
      return "samples or channels of a convolution do not fit";
    for (size_t axis : {0, 1})
      if (y.extents[2 + axis] !=
          windows.output(x.extents[2 + axis], kernel.extents[2 + axis], axis))
        return "extents of a convolution do not fit";
  }
  return "";
}

std::vector<Engine> engines(const Stored& graph, cudnnBackendHeurMode_t mode) {
  const std::vector<Shared>& operations = graph.descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (!cudaemu::settings().engines || !is_convolution(*operations.at(0))) return {};
  const Convolution c(*operations[0]);
  const Layout x(*c.x), kernel(*c.kernel), y(*c.y);
  if (kernel.type != x.type || (operations.size() == 1 && y.type != x.type)) return {};
  const bool depthwise = kernel.extents[1] == 1 && x.extents[1] > 1;
  if (operations.size() > 1 && depthwise && x.type == CUDNN_DATA_BFLOAT16) return {};
  if (mode != CUDNN_HEUR_MODE_A) return {Engine::kGood};
  std::vector<Engine> engines = {Engine::kNondeterministic, Engine::kHungry, Engine::kBroken};
  if (x.type == CUDNN_DATA_FLOAT) engines.push_back(Engine::kTf32);
  engines.push_back(Engine::kGood);
  return engines;
}

std::vector<cudnnBackendNumericalNote_t> notes(Engine engine) {
  if (engine == Engine::kNondeterministic) return {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
  if (engine == Engine::kTf32)
    return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
  return {};
}

}  // namespace

extern "C" {

size_t cudnnGetVersion(void) { return CUDNN_VERSION; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (CUDNN_STATUS_CATEGORY(status)) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
      return "CUDNN_STATUS_BAD_PARAM";
  }
}

void cudnnGetLastErrorString(char* message, size_t size) {
  if (size == 0) return;
  message[last_error.copy(message, size - 1)] = 0;
  last_error.clear();
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  *descriptor = new Shared(std::make_shared<Stored>(Stored{type}));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete static_cast<Shared*>(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void* values) {
  Stored& stored = *shared(descriptor);
  if (stored.finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is finalised");
  const auto* bytes = static_cast<const char*>(values);
  Attribute attribute{type, {bytes, bytes + count * size_of(type)}, {}};
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
    for (int64_t i = 0; i < count; ++i) {
      const Shared& other = shared(static_cast<const cudnnBackendDescriptor_t*>(values)[i]);
      if (!other->finalized)
        return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a descriptor is not finalised");
      attribute.descriptors.push_back(other);
    }
  stored.attributes[name] = attribute;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  Stored& stored = *shared(descriptor);
  const std::string wrong = fault(stored);
  if (!wrong.empty()) return refuse(CUDNN_STATUS_BAD_PARAM, wrong);
  if (stored.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    stored.engine = stored.descriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine;
    if (stored.engine == Engine::kBroken)
      return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an engine that does not do what it promised");
  }
  stored.finalized = true;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t most, int64_t* count,
                                       void* values) {
  const Stored& stored = *shared(descriptor);
  if (!stored.finalized)
    return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "the descriptor is not finalised");
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS: {
      const Shared graph = stored.descriptors(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).at(0);
      const auto all =
          engines(*graph, stored.one<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE));
      *count = static_cast<int64_t>(all.size());
      for (int64_t i = 0; i < std::min(most, *count); ++i) {
        Stored& to = *shared(static_cast<cudnnBackendDescriptor_t*>(values)[i]);
        to.engine = all[static_cast<size_t>(i)];
        to.attributes[CUDNN_ATTR_ENGINE_OPERATION_GRAPH].descriptors = {graph};
        to.finalized = true;
      }
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINECFG_ENGINE: {
      Stored& to = *shared(*static_cast<cudnnBackendDescriptor_t*>(values));
      to.engine = stored.engine;
      to.finalized = true;
      *count = 1;
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE: {
      const auto all = notes(stored.engine);
      *count = static_cast<int64_t>(all.size());
      std::copy(all.begin(), all.end(), static_cast<cudnnBackendNumericalNote_t*>(values));
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE:
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      *static_cast<int64_t*>(values) = stored.engine == Engine::kHungry ? kTooMuch : kWorkspace;
      *count = 1;
      return CUDNN_STATUS_SUCCESS;
    default:
      return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an attribute that is not emulated");
  }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const Stored& tensors = *shared(pack);
  const auto ids = tensors.all<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto addresses = tensors.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  auto* workspace = tensors.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (ids.size() != addresses.size() || workspace == nullptr)
    return refuse(CUDNN_STATUS_BAD_PARAM, "addresses or the workspace are missing");
  std::map<int64_t, void*> memory;
  for (size_t i = 0; i < ids.size(); ++i) memory[ids[i]] = addresses[i];
  const Shared ready = shared(plan);
  const Shared graph = ready->descriptors(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)
                           .at(0)
                           ->descriptors(CUDNN_ATTR_ENGINE_OPERATION_GRAPH)
                           .at(0);
  std::vector<cudaemu::MemoryRange> ranges = {{workspace, kWorkspace}};
  for (const auto& [id, tensor] : tensors_in_memory(*graph)) {
    if (!memory.contains(id) || memory[id] == nullptr)
      return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "a tensor has no address");
    ranges.push_back({memory[id], Layout(*tensor).bytes()});
  }
  cudaemu::enqueue(handle->stream, "cudnnBackendExecute", ranges, [=] {
    Run run(memory, ready->engine);
    for (const Shared& operation : graph->descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS))
      run.operation(*operation);
    std::memset(workspace, 0xff, kWorkspace);
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
