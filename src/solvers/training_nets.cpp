#include "solvers/training_nets.h"

#include <algorithm>

#include "solvers/net_states.h"
#include "solvers/settings.h"

namespace orepa {
namespace {

constexpr int64_t kLargest = 1 << 14;  // as transforms have it

}  // namespace

TrainingNets::TrainingNets(const NetSpec& spec, Parameters& parameters, Arena& arena,
                           const NetOptions& options)
    : spec_(spec), parameters_(parameters), arena_(arena), options_(options), own_(build(0)) {}

std::unique_ptr<Net> TrainingNets::build(int64_t size) const {
  NetOptions options = options_;
  options.image_size = size;
  return std::make_unique<Net>(spec_, parameters_, arena_, options);
}

void TrainingNets::plan(const Options& solver, int64_t iterations_per_epoch) {
  for (const Options& part : solver.messages("image_size")) {
    const int64_t size = part.integer("size");
    require(size >= 1 && size <= kLargest, part.where("size"), ": size must lie in [1, ", kLargest,
            "], got ", size);
    const int64_t end = length_of(part, "until_iter", "until_epoch", iterations_per_epoch);
    const int64_t begin = parts_.empty() ? 0 : parts_.back().end;
    require(end > begin, part.where(), ": image_size needs until_epoch or until_iter",
            parts_.empty() ? "" : ", later than that of the one before", "; this one would be of ",
            "iterations ", begin, " to ", end);
    parts_.push_back({end, size});
    try {
      most_bytes_ = std::max(most_bytes_, build(size)->persistent_bytes());
    } catch (const Error& error) {
      fail(part.where(), ": the net cannot have images of ", size, " pixels: ", error.what(),
           "; image_size needs images of Data or ImageData, and global_pooling in front of an ",
           "InnerProduct");
    }
  }
}

int64_t TrainingNets::size(int64_t iteration) const {
  for (const Part& part : parts_)
    if (iteration < part.end) return part.size;
  return 0;
}

Net& TrainingNets::of(int64_t iteration) {
  if (is_current(iteration)) return current();
  if (other_) earlier_seconds_ += other_->source_seconds();
  const NetStates states = read_states(parameters_.device(), current());
  other_.reset();
  size_ = size(iteration);
  if (size_ > 0) other_ = build(size_);
  write_states(parameters_.device(), states, current());
  return current();
}

double TrainingNets::work(int64_t begin, int64_t end) const {
  double work = 0;
  for (const Part& part : parts_) {
    const auto count = static_cast<double>(std::min(end, part.end) - begin);
    if (count <= 0) continue;
    const double side = static_cast<double>(part.size) / static_cast<double>(own_->image_size());
    work += count * side * side;
    begin = std::min(end, part.end);
  }
  return work + static_cast<double>(end - begin);
}

double TrainingNets::source_seconds() const {
  return earlier_seconds_ + own_->source_seconds() + (other_ ? other_->source_seconds() : 0);
}

int64_t TrainingNets::persistent_bytes() const { return own_->persistent_bytes() + most_bytes_; }

}  // namespace orepa
