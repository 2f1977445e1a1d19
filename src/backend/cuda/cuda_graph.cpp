#include "backend/cuda/cuda_graph.h"

#include "backend/cuda/check.h"

namespace orepa::cuda {
namespace {

// Of a stream, as long as this lives. An error that nobody has asked for ends it.
class Capture {
 public:
  explicit Capture(cudaStream_t stream) : stream_(stream) {
    require_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), kWhat);
    open_ = true;
  }
  ~Capture() {
    if (open_ && cudaStreamEndCapture(stream_, &graph_) != cudaSuccess) cudaGetLastError();
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t end() {
    open_ = false;
    require_success(cudaStreamEndCapture(stream_, &graph_), kWhat);
    return graph_;
  }

 private:
  static constexpr const char* kWhat = "work on the CUDA device cannot be recorded";
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  bool open_ = false;
};

}  // namespace

void CallSequence::add(std::initializer_list<const void*> addresses) {
  for (const void* address : addresses)
    hash_ = (hash_ ^ reinterpret_cast<uint64_t>(address)) * 0x100000001b3u;
  ++count_;
}

CudaGraph::CudaGraph(cudaStream_t stream, const std::function<void()>& issue) {
  Capture capture(stream);
  issue();
  require_success(cudaGraphInstantiate(&graph_, capture.end(), 0),
                  "recorded work cannot be made a graph");
}

CudaGraph::~CudaGraph() { cudaGraphExecDestroy(graph_); }

void CudaGraph::launch(cudaStream_t stream) const {
  require_success(cudaGraphLaunch(graph_, stream), "recorded work cannot be launched");
}

}  // namespace orepa::cuda
