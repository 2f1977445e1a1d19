// Communicator: the processes that train one net together, its ranks, and what they tell each
// other.
//
// Calls are collective: every rank makes the same ones in the same order, from one thread at a
// time. A call that a rank does not come to within the timeout throws Error on all others, which
// says whose fault it is; so does every call once a rank has left with fail(). What has failed
// stays failed: the process can only end, after it has said why. To destroy a Communicator that has
// failed may take some seconds, in which the others say it too: mpirun ends all as soon as one has
// ended.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orepa {

class Device;

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
    void* data = nullptr;  // in memory of the host, or of on_device()'s device
    int64_t count = 0;
    Type type = Type::kFloat32;

    int64_t bytes_each() const {
      return type == Type::kFloat64 ? 8 : type == Type::kFloat32 ? 4 : 2;
    }
  };
  // Adds up numbers over all ranks, in place, with the same bits on all of them: those that they
  // have when all that was issued to the device before is done. It returns at once and goes on
  // meanwhile; nobody may touch them before finish_sums().
  virtual void start_sum(const Numbers& numbers) = 0;
  // What is issued to the device from now on finds all sums that were started. A CPU waits for them
  // here; a GPU goes on by itself, and where a rank is missing there, failure() says so.
  virtual void finish_sums() = 0;

  // Of the host's values; these wait.
  virtual void maximum(int64_t* values, int64_t count) = 0;
  virtual void broadcast(void* bytes, int64_t count) = 0;  // rank 0's, to all others
  std::string broadcast(std::string text);                 // returns rank 0's
  // By rank on rank 0, nothing on the others.
  virtual std::vector<std::string> gather(const std::string& bytes) = 0;

  // Not collective: this rank leaves for that reason, which the others are told. Never throws.
  virtual void fail(const std::string& reason) noexcept = 0;

  // For who adds up elsewhere, on a device. Not collective, for any thread.
  //
  // Why calls throw from now on; empty where they do not. What a device has computed meanwhile is
  // worth nothing.
  virtual std::string failure() const = 0;
  // This rank has begun something there that all have to begin.
  virtual void count_begun() = 0;
  // It takes longer than timeout() seconds: finds out who has not, which is the failure then.
  // Returns at once.
  virtual void find_missing() = 0;
  virtual double timeout() const = 0;

  // How many bytes this rank has given to sums so far.
  virtual int64_t bytes_summed() const = 0;
};

// The ranks that mpirun or srun started this process among; null where it is alone. Throws Error
// where the program has no MPI, or where MPI cannot start. A call that takes longer than `timeout`
// seconds has failed.
std::shared_ptr<Communicator> join_ranks(double timeout);

// `ranks` itself for a CPU, or where it is null. For a CUDA device one whose sums are of its
// memory, by NCCL; all else it leaves to `ranks`. Collective. The device must outlive it, and a GPU
// is of one rank alone.
std::shared_ptr<Communicator> on_device(std::shared_ptr<Communicator> ranks, Device& device);

// "Open MPI v4.1.4", or why there is none.
std::string mpi_version();

}  // namespace orepa
