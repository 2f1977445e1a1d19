#include "solvers/statistics.h"

#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Divide {
  float* x;
  float by;
  OREPA_HD void operator()(int64_t i) const { x[i] /= by; }
};

}  // namespace

std::vector<Tensor> running_statistics(const Parameters& parameters) {
  std::vector<Tensor> statistics;
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kBuffer) statistics.push_back(parameter->value);
  return statistics;
}

void average_statistics(Communicator& ranks, Parameters& parameters, Averages* averages) {
  Device& device = parameters.device();
  const std::vector<Tensor> statistics = running_statistics(parameters);
  const auto average = [&] {
    for (const Tensor& statistic : statistics)
      ranks.start_sum({statistic.data, statistic.count(), Communicator::Numbers::Type::kFloat32});
    ranks.finish_sums();
    for (const Tensor& statistic : statistics)
      parallel_for(device, statistic.count(),
                   Divide{statistic.floats(), static_cast<float>(ranks.size())});
    parameters.touch();
  };
  average();
  if (averages != nullptr) averages->in_place(average);
}

}  // namespace orepa
