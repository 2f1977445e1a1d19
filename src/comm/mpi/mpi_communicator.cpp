#include <algorithm>
#include <cstring>
#include <numeric>

#include "comm/door.h"
#include "comm/mpi/mpi_thread.h"
#include "orepa/numbers.h"

namespace orepa::comm {
namespace {

constexpr int64_t kMostAtOnce = int64_t{1} << 28;  // numbers: MPI counts by int

// MPI has no such type.
void sum_bfloat16(void* from, void* to, int* count, MPI_Datatype*) {
  const auto* a = static_cast<const BFloat16*>(from);
  auto* b = static_cast<BFloat16*>(to);
  for (int i = 0; i < *count; ++i) b[i] = BFloat16::of(a[i].value() + b[i].value());
}

class MpiCommunicator : public Communicator {
 public:
  explicit MpiCommunicator(double timeout) : thread_(timeout) {}

  int rank() const override { return thread_.rank(); }
  int size() const override { return thread_.size(); }
  int local_rank() const override { return thread_.local_rank(); }
  int local_size() const override { return thread_.local_size(); }

  void start_sum(const Numbers& numbers) override {
    const int64_t bytes = numbers.bytes_each();
    for (int64_t first = 0; first < numbers.count; first += kMostAtOnce) {
      char* data = static_cast<char*>(numbers.data) + first * bytes;
      const int count = static_cast<int>(std::min(kMostAtOnce, numbers.count - first));
      thread_.start([this, data, count, type = numbers.type](MPI_Comm ranks, MPI_Request* request) {
        const bool narrow = type == Numbers::Type::kBFloat16;
        if (narrow && sum_bfloat16_ == MPI_OP_NULL)
          MPI_Op_create(sum_bfloat16, true, &sum_bfloat16_);
        MPI_Iallreduce(MPI_IN_PLACE, data, count,
                       type == Numbers::Type::kFloat64 ? MPI_DOUBLE
                       : narrow                        ? MPI_UINT16_T
                                                       : MPI_FLOAT,
                       narrow ? sum_bfloat16_ : MPI_SUM, ranks, request);
      });
    }
    bytes_ += numbers.count * bytes;
  }

  void finish_sums() override { thread_.finish(); }

  void maximum(int64_t* values, int64_t count) override {
    thread_.start([=](MPI_Comm ranks, MPI_Request* request) {
      MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), MPI_INT64_T, MPI_MAX, ranks,
                     request);
    });
    thread_.finish();
  }

  using Communicator::broadcast;
  void broadcast(void* bytes, int64_t count) override {
    for (int64_t first = 0; first < count; first += kMostAtOnce)
      thread_.start([=](MPI_Comm ranks, MPI_Request* request) {
        MPI_Ibcast(static_cast<char*>(bytes) + first,
                   static_cast<int>(std::min(kMostAtOnce, count - first)), MPI_CHAR, 0, ranks,
                   request);
      });
    thread_.finish();
  }

  std::vector<std::string> gather(const std::string& bytes) override {
    const auto ranks_count = static_cast<size_t>(rank() == 0 ? size() : 0);
    const int own = static_cast<int>(bytes.size());
    std::vector<int> counts(ranks_count), places(ranks_count);
    thread_.start([&](MPI_Comm ranks, MPI_Request* request) {
      MPI_Igather(&own, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, ranks, request);
    });
    thread_.finish();
    std::exclusive_scan(counts.begin(), counts.end(), places.begin(), 0);
    std::string all(static_cast<size_t>(std::reduce(counts.begin(), counts.end())), ' ');
    thread_.start([&](MPI_Comm ranks, MPI_Request* request) {
      MPI_Igatherv(bytes.data(), own, MPI_CHAR, all.data(), counts.data(), places.data(), MPI_CHAR,
                   0, ranks, request);
    });
    thread_.finish();
    std::vector<std::string> by_rank;
    for (size_t rank = 0; rank < ranks_count; ++rank)
      by_rank.push_back(
          all.substr(static_cast<size_t>(places[rank]), static_cast<size_t>(counts[rank])));
    return by_rank;
  }

  void fail(const std::string& reason) noexcept override { thread_.fail(reason); }
  std::string failure() const override { return thread_.failure(); }
  void count_begun() override { thread_.count_begun(); }
  void find_missing() override { thread_.find_missing(); }
  double timeout() const override { return thread_.timeout(); }
  int64_t bytes_summed() const override { return bytes_; }

 private:
  MPI_Op sum_bfloat16_ = MPI_OP_NULL;  // of the thread
  int64_t bytes_ = 0;
  MpiThread thread_;
};

}  // namespace
}  // namespace orepa::comm

extern "C" void orepa_mpi_version(std::string& version) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string_view whole(text, static_cast<size_t>(length));
  version = whole.substr(0, whole.find(','));
}

extern "C" orepa::Communicator* orepa_mpi_communicator(double timeout) {
  return new orepa::comm::MpiCommunicator(timeout);
}
