#include "core/rank_report.h"

#include "orepa/error.h"

namespace orepa {

std::string first_report(Communicator& ranks, const std::string& own) {
  int64_t lowest = own.empty() ? -ranks.size() : -ranks.rank();
  ranks.maximum(&lowest, 1);
  const auto who = static_cast<int>(-lowest);
  if (who == ranks.size()) return "";
  const std::vector<std::string> reports = ranks.gather(own);
  const std::string first = ranks.broadcast(reports.empty() ? "" : reports[who]);
  return who == ranks.rank() ? first : text("rank ", who, ": ", first);
}

}  // namespace orepa
