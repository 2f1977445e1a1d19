// What ranks say to each other, for test_communicator.py: talk TIMEOUT [die|stop|leave|late RANK],
// or talk TIMEOUT pause SECONDS, in which all are silent half-way. Every rank ends with 0 and
// "well" where all sums were right, or with 1 and why not. DEVICE=cuda: on a GPU each.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/device.h"
#include "orepa/error.h"
#include "orepa/numbers.h"

namespace orepa {
namespace {

void misbehave(const std::string& how, double timeout) {
  if (how == "die") std::raise(SIGKILL);
  if (how == "stop") std::raise(SIGSTOP);
  if (how == "late") std::this_thread::sleep_for(std::chrono::duration<double>(2 * timeout + 5));
  if (how == "leave") fail("there is no sample 7");
}

void expect(bool right, const char* what) { require(right, what, " went wrong"); }

// Numbers of the host, added up over all ranks on the device.
template <class Number>
class Sum {
 public:
  Sum(Communicator& ranks, Device& device, std::vector<Number>& numbers,
      Communicator::Numbers::Type type)
      : device_(device), numbers_(numbers), memory_(device, bytes()) {
    device.copy_to_device(memory_.data(), numbers.data(), bytes());
    ranks.start_sum({memory_.data(), static_cast<int64_t>(numbers.size()), type});
  }
  void read() { device_.copy_to_host(numbers_.data(), memory_.data(), bytes()); }

 private:
  int64_t bytes() const { return static_cast<int64_t>(numbers_.size() * sizeof(Number)); }

  Device& device_;
  std::vector<Number>& numbers_;
  DeviceMemory memory_;
};

void talk(Communicator& ranks, Device& device, int64_t round) {
  using Type = Communicator::Numbers::Type;
  const int n = ranks.size(), r = ranks.rank();
  std::vector<float> floats(10007, static_cast<float>(r + round));
  std::vector<double> doubles(3, 1e-9 * r + 1);
  std::vector<BFloat16> narrow(1001, BFloat16::of(static_cast<float>(r) + 0.5f));
  Sum sum_of_floats(ranks, device, floats, Type::kFloat32);
  Sum sum_of_doubles(ranks, device, doubles, Type::kFloat64);
  Sum sum_of_narrow(ranks, device, narrow, Type::kBFloat16);
  ranks.finish_sums();
  sum_of_floats.read();
  sum_of_doubles.read();
  sum_of_narrow.read();
  const std::string lost = ranks.failure();
  require(lost.empty(), lost);
  const int all = n * (n - 1) / 2;
  for (const float x : floats) expect(x == static_cast<float>(all + n * round), "a sum of floats");
  for (const double x : doubles) expect(std::abs(x - (n + 1e-9 * all)) < 1e-15 * n, "of doubles");
  for (const BFloat16 x : narrow)
    expect(x.value() == static_cast<float>(all) + 0.5f * n, "of bfloat16");

  int64_t values[] = {r, -r};
  ranks.maximum(values, 2);
  expect(values[0] == n - 1 && values[1] == 0, "a maximum");
  std::string from_first = r == 0 ? "who speaks" : "who hears ";
  ranks.broadcast(from_first.data(), 10);
  expect(from_first == "who speaks", "a broadcast");
  const std::vector<std::string> gathered = ranks.gather(std::string(static_cast<size_t>(r), 'x'));
  expect(gathered.size() == (r == 0 ? static_cast<size_t>(n) : 0), "a gathering");
  for (size_t rank = 0; rank < gathered.size(); ++rank)
    expect(gathered[rank] == std::string(rank, 'x'), "what was gathered");
}

int run(int count, char** words) {
  const double timeout = std::atof(words[1]);
  const std::string how = count > 3 ? words[2] : "";
  const int who = count > 3 && how != "pause" ? std::atoi(words[3]) : -1;
  const std::shared_ptr<Communicator> processes = join_ranks(timeout);
  require(processes != nullptr, "alone");
  const char* kind = std::getenv("DEVICE");
  const bool on_gpus = kind != nullptr && std::string(kind) == "cuda";
  const std::unique_ptr<Device> device =
      make_device(on_gpus ? text("cuda:", processes->local_rank()) : "cpu");
  const std::shared_ptr<Communicator> ranks = on_device(processes, *device);
  try {
    for (int64_t round = 0; round < 20; ++round) {
      if (round == 10 && ranks->rank() == who) misbehave(how, timeout);
      if (round == 10 && how == "pause") {
        std::cout << "half-way" << std::endl;
        std::this_thread::sleep_for(std::chrono::duration<double>(std::atof(words[3])));
      }
      talk(*ranks, *device, round);
    }
  } catch (const Error& error) {
    ranks->fail(error.what());
    std::cout << text("rank ", ranks->rank(), ": error: ", error.what(), '\n') << std::flush;
    return 1;
  }
  std::cout << text("rank ", ranks->rank(), " of ", ranks->size(), ", ", ranks->local_rank(),
                    " of ", ranks->local_size(), " here: well, ", ranks->bytes_summed(),
                    " bytes\n");
  return 0;
}

}  // namespace
}  // namespace orepa

int main(int count, char** words) {
  try {
    return orepa::run(count, words);
  } catch (const orepa::Error& error) {
    std::cout << "error: " << error.what() << std::endl;
    return 1;
  }
}
