#include "solvers/step_totals.h"

#include <algorithm>
#include <cmath>

#include "orepa/parallel.h"

namespace orepa {

// The head of the memory; behind it, one sum of squares a parameter.
struct StepTotals::Totals {
  double loss, all, learned;  // `all`, `learned`: sums of the squares
  StepScale scale;
};

namespace {

OREPA_HD bool is_finite(double value) { return value - value == 0; }

struct Square {
  const float* x;
  OREPA_HD double operator()(int64_t i) const { return double{x[i]} * x[i]; }
};

struct Itself {
  const double* x;
  OREPA_HD double operator()(int64_t, int64_t j) const { return x[j]; }
};

struct Start {
  double* loss;
  StepScale* scale;
  bool first;
  OREPA_HD void operator()(int64_t) const {
    *loss = 0;
    if (first) scale->proceed = 1;
  }
};

struct Decide {
  const double *loss, *all, *learned;
  double clip, passes;
  StepScale* scale;
  OREPA_HD void operator()(int64_t) const {
    if (!is_finite(*loss) || !is_finite(*all)) scale->proceed = 0;
    const double norm = clip > 0 ? sqrt(*learned) : 0;
    scale->gradient = static_cast<float>((norm > clip && clip > 0 ? clip / norm : 1) / passes);
  }
};

struct Check {
  const double* squares;
  int64_t count;
  StepScale* scale;
  OREPA_HD void operator()(int64_t) const {
    for (int64_t i = 0; i < count; ++i)
      if (!is_finite(squares[i])) scale->proceed = 0;
  }
};

}  // namespace

StepTotals::StepTotals(const Parameters& parameters, int64_t passes, double clip)
    : device_(parameters.device()), passes_(passes), clip_(clip), rate_(device_, sizeof(StepRate)) {
  int64_t bytes = 0;
  const auto add = [&](const Parameter& parameter) {
    places_[&parameter] = static_cast<int64_t>(parameters_.size());
    parameters_.push_back(&parameter);
    partials_.push_back(bytes);
    bytes += reduce_all_scratch(parameter.value.count());
  };
  for (const auto& parameter : parameters.all())
    if (parameter->learns()) add(*parameter);
  learned_ = static_cast<int64_t>(parameters_.size());
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kDerived && parameter->gradient) add(*parameter);
  memory_ = DeviceMemory(device_, message_bytes());
  partial_ = DeviceMemory(device_, bytes);
}

StepTotals::Totals* StepTotals::totals() const { return static_cast<Totals*>(memory_.data()); }
double* StepTotals::squares() const { return reinterpret_cast<double*>(totals() + 1); }
int64_t StepTotals::message_bytes() const {
  return static_cast<int64_t>(sizeof(Totals) + parameters_.size() * sizeof(double));
}

void StepTotals::send_rate(const StepRate& rate) {
  *static_cast<StepRate*>(rate_.fill()) = rate;
  rate_.send(static_cast<StepRate*>(&totals()->scale));
}

void StepTotals::begin() {
  parallel_for(device_, 1, Start{loss(), &totals()->scale, !started_});
  started_ = true;
  device_.zero(squares(), static_cast<int64_t>(parameters_.size() * sizeof(double)));
}

double* StepTotals::loss() { return &totals()->loss; }

void StepTotals::add(const std::vector<const Parameter*>& parameters) {
  device_.each_independent(static_cast<int64_t>(parameters.size()), [&](int64_t i) {
    const Tensor& gradient = parameters[i]->gradient;
    const int64_t place = places_.at(parameters[i]);
    char* partial = static_cast<char*>(partial_.data()) + partials_[place];
    reduce_all(device_, gradient.count(), Square{gradient.floats()}, squares() + place,
               reinterpret_cast<double*>(partial));
  });
}

void StepTotals::decide() {
  const auto count = static_cast<int64_t>(parameters_.size());
  reduce_rows(device_, 1, count, Itself{squares()}, &totals()->all);
  if (clip_ > 0) reduce_rows(device_, 1, learned_, Itself{squares()}, &totals()->learned);
  parallel_for(device_, 1,
               Decide{loss(), &totals()->all, &totals()->learned, clip_,
                      static_cast<double>(passes_), &totals()->scale});
}

void StepTotals::check(const std::vector<Parameter*>& parameters) {
  int64_t first = learned_, last = -1;
  for (const Parameter* parameter : parameters) {
    first = std::min(first, places_.at(parameter));
    last = std::max(last, places_.at(parameter));
  }
  parallel_for(device_, 1, Check{squares() + first, last - first + 1, &totals()->scale});
}

void StepTotals::send(int64_t iteration) {
  if (free_.empty()) free_.push_back({0, HostMemory(device_, message_bytes()), device_.event()});
  Message message = std::move(free_.back());
  free_.pop_back();
  message.iteration = iteration;
  device_.send_to_host(message.memory.data(), memory_.data(), message_bytes());
  message.arrived->record();
  sent_.push_back(std::move(message));
}

const StepScale* StepTotals::scale() const { return &totals()->scale; }

std::optional<StepTotals::Step> StepTotals::read(bool wait) {
  if (sent_.empty() || (!wait && !sent_.front().arrived->done())) return std::nullopt;
  Message message = std::move(sent_.front());
  sent_.pop_front();
  if (!message.arrived->done()) message.arrived->wait();
  const auto* totals = static_cast<const Totals*>(message.memory.data());
  const auto* squares = reinterpret_cast<const double*>(totals + 1);
  Step step;
  step.iteration = message.iteration;
  step.loss = totals->loss / static_cast<double>(passes_);
  for (const bool factors : {false, true})
    for (size_t place = 0; place < parameters_.size() && !step.not_finite; ++place)
      if (parameters_[place]->factor == factors && !std::isfinite(squares[place]))
        step.not_finite = parameters_[place];
  free_.push_back(std::move(message));
  return step;
}

}  // namespace orepa
