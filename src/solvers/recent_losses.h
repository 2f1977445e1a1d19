// The mean loss of the last iterations, as average_loss asks for it.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

namespace orepa {

class RecentLosses {
 public:
  explicit RecentLosses(int64_t most) : most_(most) {}

  void add(double loss) {
    losses_.push_back(loss);
    if (static_cast<int64_t>(losses_.size()) > most_) losses_.pop_front();
  }
  double mean() const {  // 0 where there are none
    double mean = 0;
    for (const double loss : losses_) mean += loss / static_cast<double>(losses_.size());
    return mean;
  }
  std::vector<double> all() const { return {losses_.begin(), losses_.end()}; }  // the oldest first

 private:
  int64_t most_;
  std::deque<double> losses_;
};

}  // namespace orepa
