#include "solvers/gradient_sums.h"

#include "orepa/error.h"
#include "orepa/tensor.h"

namespace orepa {

GradientSums::GradientSums(Communicator& ranks, Device& device) : ranks_(ranks) {
  require(!device.is_cuda(), "several processes train on CPUs so far, not on ",
          device.description(), "; use --device cpu, or one process");
}

void GradientSums::add(const std::vector<Parameter*>& parameters) {
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const Tensor& gradient = (*parameter)->gradient;
    char* const begin = static_cast<char*>(gradient.data);
    char* const end = begin + aligned(gradient.bytes());
    if (end != first_) send();
    if (end_ == nullptr) end_ = begin + gradient.bytes();
    first_ = begin;
  }
  if (end_ - first_ >= kBucketBytes) send();
}

void GradientSums::send() {
  if (end_ != first_)
    ranks_.start_sum(
        {first_, (end_ - first_) / int64_t{sizeof(float)}, Communicator::Numbers::Type::kFloat32});
  first_ = end_ = nullptr;
}

void GradientSums::finish(double* loss) {
  send();
  ranks_.start_sum({loss, 1, Communicator::Numbers::Type::kFloat64});
  ranks_.finish_sums();
}

}  // namespace orepa
