// Which of the snapshots that were tested is the best: by the first Accuracy of the first test net
// or, where it has none, by its loss.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "orepa/evaluate.h"
#include "orepa/model_io.h"

namespace orepa {

struct Best {
  int64_t iteration = 0;
  std::string output;  // of the test: what the value is of
  float value = 0;
  // How many snapshots were judged since and were not better, and the iteration of the last one.
  int64_t judged_since = 0, last_judged = 0;
};

// Whether a test of the snapshot of this iteration, of the first test net, makes it the best so
// far, which it is then; else it is counted, once where it is made again.
bool judge(std::optional<Best>& best, int64_t iteration, const NetSpec& net,
           const Evaluation& evaluation);

// A test of a snapshot, of the first test net, where it is better than the best so far, of another
// output or the first; nothing where it is not, or has neither an accuracy nor a loss.
std::optional<Best> better(const std::optional<Best>& best, int64_t iteration, const NetSpec& net,
                           const Evaluation& evaluation);

// Whether so many tests in a row were none better than the best; never where `tests` is 0.
bool none_better_in(const std::optional<Best>& best, int64_t tests);

}  // namespace orepa
