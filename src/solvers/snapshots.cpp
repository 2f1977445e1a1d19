#include "solvers/snapshots.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

constexpr int64_t kFirstWait = 10;

}  // namespace

Snapshots::Snapshots(const SolverSettings& settings, Observer& observer)
    : observer_(observer), prefixes_({settings.prefix}) {
  if (!settings.fallback.empty())
    prefixes_.push_back(
        (settings.fallback / std::filesystem::path(settings.prefix).filename()).string());
  for (const std::string& prefix : prefixes_) {
    std::error_code failure;
    std::filesystem::create_directories(folder_of(prefix), failure);
    require(!failure, folder_of(prefix),
            ": the folder for snapshots cannot be made: ", failure.message());
  }
}

std::string Snapshots::newest() const {
  const NewestSnapshot newest = newest_snapshot(prefixes_);
  for (const std::string& damage : newest.damaged)
    observer_.note("passed over a newer snapshot: " + damage);
  return newest.path;
}

std::vector<LockFile> Snapshots::locks() const {
  std::vector<LockFile> locks;
  for (const std::string& prefix : prefixes_) {
    locks.emplace_back(prefix + ".lock",
                       "another training writes its snapshots there; wait for its end, or give "
                       "this one a snapshot_prefix of its own");
    if (!locks.back().obstacle().empty())
      observer_.note(text(prefix, ".lock: cannot be locked (", locks.back().obstacle(),
                          "); make sure that no other training has this snapshot_prefix"));
  }
  return locks;
}

void Snapshots::write(Snapshot&& snapshot) {
  std::string reasons;
  for (const std::string& prefix : prefixes_) {
    try {
      last = snapshot.write(prefix);
    } catch (const std::exception& reason) {
      reasons += text(reasons.empty() ? "" : "; ", reason.what());
      continue;
    }
    if (!reasons.empty()) observer_.note("snapshot_fallback is used: " + reasons);
    wait_ = 0;
    retry_ = -1;
    observer_.snapshotted(last);
    return;
  }
  fail("no snapshot could be written: ", reasons);
}

void Snapshots::try_to_write(Snapshot&& snapshot, int64_t iteration) {
  try {
    write(std::move(snapshot));
  } catch (const Error& error) {
    wait_ = std::max(kFirstWait, 2 * wait_);
    retry_ = iteration + wait_;
    observer_.note(
        text(error.what(), "; the training goes on and tries again after iteration ", retry_));
  }
}

}  // namespace orepa
