#include "backend/cuda/launch_merger.h"

#include <algorithm>
#include <cstring>

#include "orepa/parallel.h"

namespace orepa::cuda {
namespace {

constexpr int64_t kPointers = 480;  // that a kernel takes as parameters
constexpr int64_t kFirstPointerBytes = 64 << 10;

struct WritePointers {
  const float* values[kPointers];
  const float** to;
  OREPA_HD void operator()(int64_t i) const { to[i] = values[i]; }
};

Gemm geometry(Gemm gemm) {
  gemm.a = gemm.b = gemm.c = nullptr;
  return gemm;
}

}  // namespace

void LaunchMerger::begin() {
  tasks_.clear();
  memory_.clear();
  gemms_.clear();
}

void LaunchMerger::add(const CollectedLoop& loop) {
  constexpr auto kEach = static_cast<int64_t>(sizeof(Piece));
  const size_t place = memory_.size();
  memory_.resize(place + static_cast<size_t>((loop.bytes + kEach - 1) / kEach));
  std::memcpy(&memory_[place], loop.loop, static_cast<size_t>(loop.bytes));
  tasks_.back().push_back({loop.launch, place});
}

void LaunchMerger::add(const Gemm& gemm) {
  tasks_.back().push_back({nullptr, gemms_.size()});
  gemms_.push_back(gemm);
}

bool LaunchMerger::same_kind(const Launch& a, const Launch& b) const {
  if (a.loops != nullptr || b.loops != nullptr) return a.loops == b.loops;
  return geometry(gemms_[a.place]) == geometry(gemms_[b.place]);
}

std::vector<LaunchMerger::Round> LaunchMerger::rounds() const {
  std::vector<Round> rounds;
  std::vector<size_t> next(tasks_.size(), 0);
  const auto left = [&](size_t task) { return tasks_[task].size() - next[task]; };
  while (true) {
    size_t longest = 0;
    for (size_t task = 1; task < tasks_.size(); ++task)
      if (left(task) > left(longest)) longest = task;
    if (left(longest) == 0) return rounds;
    const Launch kind = tasks_[longest][next[longest]];
    Round& round = rounds.emplace_back();
    for (size_t task = 0; task < tasks_.size(); ++task)
      if (left(task) > 0 && same_kind(tasks_[task][next[task]], kind))
        round.push_back(tasks_[task][next[task]++]);
  }
}

// Pointers of every round of several gemms: of all its a, all its b, all its c.
void LaunchMerger::send_pointers(const std::vector<Round>& rounds) {
  std::vector<const float*> pointers;
  for (const Round& round : rounds) {
    if (round[0].loops != nullptr || round.size() == 1) continue;
    const auto add_all = [&](auto matrix, auto stride) {
      for (const Launch& launch : round)
        for (int64_t i = 0; i < gemms_[launch.place].batch; ++i)
          pointers.push_back(gemms_[launch.place].*matrix + i * gemms_[launch.place].*stride);
    };
    add_all(&Gemm::a, &Gemm::stride_a);
    add_all(&Gemm::b, &Gemm::stride_b);
    add_all(&Gemm::c, &Gemm::stride_c);
  }
  if (pointers.empty()) return;
  const auto count = static_cast<int64_t>(pointers.size());
  const int64_t bytes = count * int64_t{sizeof(float*)};
  if (pointers_.empty() || bytes > pointers_.back().bytes())
    pointers_.emplace_back(device_, std::max(kFirstPointerBytes, 2 * bytes));
  for (int64_t begin = 0; begin < count; begin += kPointers) {
    const int64_t some = std::min(count - begin, kPointers);
    WritePointers write{};
    write.to = static_cast<const float**>(pointers_.back().data()) + begin;
    std::copy_n(pointers.begin() + begin, some, write.values);
    parallel_for(device_, some, write);
  }
}

void LaunchMerger::issue(Libraries& libraries) {
  const std::vector<Round> rounds = this->rounds();
  send_pointers(rounds);
  auto* next = pointers_.empty() ? nullptr : static_cast<float**>(pointers_.back().data());
  std::vector<const void*> loops;
  for (const Round& round : rounds) {
    if (round[0].loops != nullptr) {
      loops.clear();
      for (const Launch& launch : round) loops.push_back(&memory_[launch.place]);
      round[0].loops(device_, loops.data(), static_cast<int64_t>(loops.size()));
      continue;
    }
    const Gemm& gemm = gemms_[round[0].place];
    if (round.size() == 1) {
      libraries.gemm(gemm);
      continue;
    }
    const int64_t count = static_cast<int64_t>(round.size()) * gemm.batch;
    libraries.gemms(gemm, {next, next + count, next + 2 * count}, count);
    next += 3 * count;
  }
}

}  // namespace orepa::cuda
