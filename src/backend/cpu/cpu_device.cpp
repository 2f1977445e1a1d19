#include "backend/cpu/cpu_device.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backend/cpu/available_memory.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/onednn.h"
#include "backend/plan_cache.h"

namespace orepa::cpu {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kPiece = int64_t{1} << 18;  // bytes that one thread copies at a time

const char* isa_name() {
  using dnnl::cpu_isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case cpu_isa::sse41:
      return "sse4.1";
    case cpu_isa::avx:
      return "avx";
    case cpu_isa::avx2:
      return "avx2";
    case cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case cpu_isa::avx512_core:
      return "avx512_core";
    case cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "generic";
  }
}

// Everything has finished when its call returns.
class CpuEvent : public Event {
  void record(Queue) override {}
  bool done() const override { return true; }
  void wait() override {}
};

class CpuDevice : public Device {
 public:
  explicit CpuDevice(const DeviceOptions& options) : onednn_(*this, options) {}
  bool is_cuda() const override { return false; }
  std::string description() const override {
    const int threads = omp_get_max_threads();
    return text("cpu ", isa_name(), ", ", threads, threads == 1 ? " thread" : " threads");
  }

  Support bfloat16() const override {
    if (multiplies_bfloat16()) return Support::kFull;
    return emulates_bfloat16() ? Support::kSlow : Support::kNone;
  }

  void* allocate(int64_t bytes) override {
    // Linux promises memory that it does not have and kills later; asked before, it tells the
    // truth.
    const int64_t available = available_memory();
    require(bytes <= available, "out of memory: ", bytes >> 20, " MiB are needed, ",
            available >> 20, " MiB are available; use a smaller batch");
    const bool large = bytes >= kHugePage;
    const int64_t alignment = large ? kHugePage : kAlignment;
    const int64_t rounded = (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded));
    require(memory != nullptr, "out of memory: ", bytes >> 20, " MiB cannot be allocated");
    if (large) ::madvise(memory, static_cast<size_t>(rounded), MADV_HUGEPAGE);
    return memory;
  }
  void release(void* memory) noexcept override { std::free(memory); }

  void zero(void* memory, int64_t bytes) override {
    in_pieces(bytes, [=](int64_t begin, size_t size) {
      std::memset(static_cast<char*>(memory) + begin, 0, size);
    });
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    in_pieces(bytes, [=](int64_t begin, size_t size) {
      std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin, size);
    });
  }
  void copy_to_device(void* device, const void* host, int64_t bytes, Queue) override {
    copy(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    count_wait();
    copy(host, device, bytes);
  }
  void send_to_host(void* host, const void* device, int64_t bytes) override {
    copy(host, device, bytes);
  }
  void synchronize() override { count_wait(); }

  std::unique_ptr<Event> event() override { return std::make_unique<CpuEvent>(); }
  void wait(Queue, const Event&) override {}
  void* allocate_host(int64_t bytes) override { return allocate(bytes); }
  void release_host(void* memory) noexcept override { release(memory); }

  void gemm(const Gemm& g) override {
    count_launch();
    cpu::gemm(g);
  }

  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    return convolutions_.of(geometry, [&] { return make_convolution(onednn_, geometry); });
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) override {
    return batch_norms_.of(geometry, [&] { return make_batch_norm(onednn_, geometry); });
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) override {
    return poolings_.of(geometry, [&] { return make_pooling(onednn_, geometry); });
  }

 private:
  // Threads share the memory traffic of a large copy.
  template <class Work>
  static void in_pieces(int64_t bytes, Work work) {
    const int64_t pieces = (bytes + kPiece - 1) / kPiece;
#pragma omp parallel for schedule(static) if (pieces > 4)
    for (int64_t i = 0; i < pieces; ++i)
      work(i * kPiece, static_cast<size_t>(std::min(kPiece, bytes - i * kPiece)));
  }

  OneDnn onednn_;
  PlanCache<ConvolutionGeometry, ConvolutionPlan> convolutions_;
  PlanCache<BatchNormGeometry, BatchNormPlan> batch_norms_;
  PlanCache<PoolingGeometry, PoolingPlan> poolings_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(const DeviceOptions& options) {
  // Each wants memory for its stack; where the system refuses one, OpenMP ends the process.
  constexpr int kMostThreads = 1024;
  const int threads = omp_get_max_threads(), processors = omp_get_num_procs();
  require(threads <= std::max(kMostThreads, processors), "OMP_NUM_THREADS asks for ", threads,
          " threads, more than ", kMostThreads, "; this machine has ", processors, " processors");
  return std::make_unique<CpuDevice>(options);
}

}  // namespace orepa::cpu
