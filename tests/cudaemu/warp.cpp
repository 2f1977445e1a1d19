#include "tests/cudaemu/warp.h"

#include <bit>
#include <iomanip>
#include <sstream>

#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

std::string hexadecimal(unsigned mask) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(8) << mask;
  return out.str();
}

// The lane whose value `lane` gets. What reaches over the end of its group of `width` lanes comes
// from the lane itself.
int source_lane(int lane, const Warp::Request& request) {
  const int first = lane & ~(request.width - 1), end = first + request.width;
  const auto inside = [&](int source) { return source >= first && source < end ? source : lane; };
  switch (request.collective) {
    case Collective::kShuffle:
      return first + (request.argument & (request.width - 1));
    case Collective::kShuffleUp:
      return inside(lane - request.argument);
    case Collective::kShuffleDown:
      return inside(lane + request.argument);
    case Collective::kShuffleXor:
      return inside(lane ^ request.argument);
    case Collective::kSync:
      break;
  }
  return lane;
}

}  // namespace

void Warp::start(uint32_t lanes) {
  exist_ = lanes == kWarpSize ? ~0u : (1u << lanes) - 1;
  arrived_ = left_ = 0;
}

bool Warp::arrive(uint32_t lane, const Request& request) {
  const auto where = [&] {
    return orepa::text("a meeting of lanes at line ", request.place.line());
  };
  if ((request.mask >> lane & 1) == 0)
    violation(where(), ": lane ", lane, " is not in the mask ", hexadecimal(request.mask));
  if ((request.mask & ~exist_) != 0)
    violation(where(), ": the mask ", hexadecimal(request.mask),
              " names lanes that do not exist; those that do are ", hexadecimal(exist_));
  if (request.width < 1 || request.width > int{kWarpSize} ||
      !std::has_single_bit(static_cast<unsigned>(request.width)))
    violation(where(), ": the width is ", request.width, "; a power of two up to 32 was expected");
  requests_[lane] = request;
  arrived_ |= 1u << lane;
  if (left_ != 0) require_nobody_waits_for_left();
  if ((arrived_ & request.mask) != request.mask) return false;
  arrived_ &= ~request.mask;
  answer_all(request.mask);
  return true;
}

void Warp::require_nobody_waits_for_left() const {
  for (uint32_t lane = 0; lane < kWarpSize; ++lane)
    if ((arrived_ >> lane & 1) != 0 && (requests_[lane].mask & left_) != 0)
      violation("lane ", lane, " waits at line ", requests_[lane].place.line(), " for the lanes ",
                hexadecimal(requests_[lane].mask & left_), ", which have left the kernel");
}

void Warp::answer_all(unsigned mask) {
  const int first = std::countr_zero(mask);
  const Request& expected = requests_[first];
  for (int lane = first; lane < int{kWarpSize}; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    const Request& request = requests_[lane];
    if (request.collective != expected.collective || request.mask != mask ||
        request.width != expected.width || request.place.line() != expected.place.line() ||
        request.place.column() != expected.place.column())
      violation("lanes ", first, " and ", lane, " meet at different places: line ",
                expected.place.line(), " with mask ", hexadecimal(expected.mask), ", line ",
                request.place.line(), " with mask ", hexadecimal(request.mask));
    // Of a lane that does not take part, a device gives anything: here, NaN.
    const int source = source_lane(lane, request);
    answers_[lane] = (mask >> source & 1) != 0 ? requests_[source].value : ~uint64_t{0};
  }
}

}  // namespace cudaemu
