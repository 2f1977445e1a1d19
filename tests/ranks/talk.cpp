// What ranks say to each other, for test_communicator.py: talk TIMEOUT [die|stop|leave|late RANK],
// or talk TIMEOUT pause SECONDS, in which all are silent half-way. Every rank ends with 0 and
// "well" where all sums were right, or with 1 and why not.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "orepa/communicator.h"
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

void talk(Communicator& ranks, int64_t round) {
  using Numbers = Communicator::Numbers;
  const int n = ranks.size(), r = ranks.rank();
  std::vector<float> floats(10007, static_cast<float>(r + round));
  std::vector<double> doubles(3, 1e-9 * r + 1);
  std::vector<BFloat16> narrow(1001, BFloat16::of(static_cast<float>(r) + 0.5f));
  ranks.start_sum({floats.data(), 10007, Numbers::Type::kFloat32});
  ranks.start_sum({doubles.data(), 3, Numbers::Type::kFloat64});
  ranks.start_sum({narrow.data(), 1001, Numbers::Type::kBFloat16});
  ranks.finish_sums();
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
  const std::unique_ptr<Communicator> ranks = join_ranks(timeout);
  require(ranks != nullptr, "alone");
  try {
    for (int64_t round = 0; round < 20; ++round) {
      if (round == 10 && ranks->rank() == who) misbehave(how, timeout);
      if (round == 10 && how == "pause") {
        std::cout << "half-way" << std::endl;
        std::this_thread::sleep_for(std::chrono::duration<double>(std::atof(words[3])));
      }
      talk(*ranks, round);
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
