#include "solvers/gradient_sums.h"

#include "orepa/numbers.h"

namespace orepa {
namespace {

struct Copy {
  Numbers from, to;
  OREPA_HD void operator()(int64_t i) const { to.set(i, from[i]); }
};

Numbers numbers(void* data, DType type) { return Tensor{data, {}, type}; }

int64_t narrow_bytes(const Parameters& parameters) {
  int64_t bytes = 0;
  for (const auto& parameter : parameters.all())
    if (parameter->gradient) bytes += aligned(aligned(parameter->gradient.bytes()) / 2);
  return bytes;
}

}  // namespace

GradientSums::GradientSums(Communicator& ranks, const Parameters& parameters, bool narrow)
    : ranks_(ranks), device_(parameters.device()) {
  if (narrow) narrow_ = DeviceMemory(device_, narrow_bytes(parameters));
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
  using Type = Communicator::Numbers::Type;
  const int64_t count = (end_ - first_) / int64_t{sizeof(float)};
  auto* const gradients = reinterpret_cast<float*>(first_);
  first_ = end_ = nullptr;
  if (count == 0) return;
  if (narrow_.bytes() == 0) return ranks_.start_sum({gradients, count, Type::kFloat32});
  void* const narrow = static_cast<char*>(narrow_.data()) + filled_;
  filled_ += aligned(count * size_of(DType::kBFloat16));
  sent_.push_back({gradients, count, narrow});
  parallel_for(device_, count,
               Copy{numbers(gradients, DType::kFloat32), numbers(narrow, DType::kBFloat16)});
  ranks_.start_sum({narrow, count, Type::kBFloat16});
}

void GradientSums::finish(double* loss) {
  send();
  ranks_.start_sum({loss, 1, Communicator::Numbers::Type::kFloat64});
  ranks_.finish_sums();
  for (const Bucket& bucket : sent_)
    parallel_for(
        device_, bucket.count,
        Copy{numbers(bucket.narrow, DType::kBFloat16), numbers(bucket.numbers, DType::kFloat32)});
  sent_.clear();
  filled_ = 0;
}

}  // namespace orepa
