#include "solvers/statistics_mean.h"

#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Divide {
  float* x;
  float by;
  OREPA_HD void operator()(int64_t i) const { x[i] /= by; }
};

template <class Call>
void for_each_statistic(const Parameters& parameters, Call call) {
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kBuffer) call(parameter->value);
}

}  // namespace

void average_statistics(Communicator& ranks, Parameters& parameters, Averages* averages) {
  Device& device = parameters.device();
  const auto average = [&] {
    for_each_statistic(parameters, [&](const Tensor& statistic) {
      ranks.start_sum({statistic.data, statistic.count(), Communicator::Numbers::Type::kFloat32});
    });
    ranks.finish_sums();
    for_each_statistic(parameters, [&](const Tensor& statistic) {
      parallel_for(device, statistic.count(),
                   Divide{statistic.floats(), static_cast<float>(ranks.size())});
    });
    parameters.touch();
  };
  average();
  if (averages != nullptr) averages->in_place(average);
}

}  // namespace orepa
