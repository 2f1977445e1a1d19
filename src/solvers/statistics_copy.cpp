#include "solvers/statistics_copy.h"

namespace orepa {
namespace {

// Calls visit(statistics, their offset in bytes) for each, and returns the size of all.
template <class Visit>
int64_t for_each(const Parameters& parameters, Visit visit) {
  int64_t offset = 0;
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind != Parameter::Kind::kBuffer) continue;
    visit(parameter->value, offset);
    offset += parameter->value.bytes();
  }
  return offset;
}

}  // namespace

StatisticsCopy::StatisticsCopy(const Parameters& parameters)
    : parameters_(parameters),
      memory_(parameters.device(), for_each(parameters, [](const Tensor&, int64_t) {})) {}

void StatisticsCopy::save() {
  for_each(parameters_, [&](const Tensor& statistics, int64_t offset) {
    parameters_.device().copy(static_cast<char*>(memory_.data()) + offset, statistics.data,
                              statistics.bytes());
  });
}

void StatisticsCopy::restore() {
  for_each(parameters_, [&](const Tensor& statistics, int64_t offset) {
    parameters_.device().copy(statistics.data, static_cast<char*>(memory_.data()) + offset,
                              statistics.bytes());
  });
}

}  // namespace orepa
