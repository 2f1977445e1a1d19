// Communicator: the processes that train one net together, its ranks, and what they tell each
// other.
//
// Calls are collective: every rank makes the same ones in the same order, from one thread at a
// time. A call that a rank does not come to within the timeout throws Error on all others, which
// says whose fault it is; so does every call once a rank has left with fail(). What has failed
// stays failed: the process can only end, after it has said why. To destroy a Communicator that has
// failed takes a second, in which the others say it too: mpirun ends all as soon as one has ended.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orepa {

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;  // from 0
  virtual int size() const = 0;
  // Among the ranks of the same machine.
  virtual int local_rank() const = 0;
  virtual int local_size() const = 0;

  struct Numbers {
    enum class Type { kFloat32, kFloat64, kBFloat16 };
    void* data = nullptr;  // in host memory
    int64_t count = 0;
    Type type = Type::kFloat32;
  };
  // Adds up numbers over all ranks, in place, with the same bits on all of them. It returns at once
  // and goes on meanwhile; nobody may touch them before finish_sums().
  virtual void start_sum(const Numbers& numbers) = 0;
  // Waits for all sums that were started.
  virtual void finish_sums() = 0;

  // Of the host's values; these wait.
  virtual void maximum(int64_t* values, int64_t count) = 0;
  virtual void broadcast(void* bytes, int64_t count) = 0;  // rank 0's, to all others
  std::string broadcast(std::string text);                 // returns rank 0's
  // By rank on rank 0, nothing on the others.
  virtual std::vector<std::string> gather(const std::string& bytes) = 0;

  // Not collective: this rank leaves for that reason, which the others are told. Never throws.
  virtual void fail(const std::string& reason) noexcept = 0;

  // How many bytes this rank has given to sums so far.
  virtual int64_t bytes_summed() const = 0;
};

// The ranks that mpirun or srun started this process among; null where it is alone. Throws Error
// where the program has no MPI, or where MPI cannot start. A call that takes longer than `timeout`
// seconds has failed.
std::unique_ptr<Communicator> join_ranks(double timeout);

// "Open MPI v4.1.4", or why there is none.
std::string mpi_version();

}  // namespace orepa
