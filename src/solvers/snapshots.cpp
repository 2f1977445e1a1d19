#include "solvers/snapshots.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "io/drafts.h"
#include "orepa/error.h"

namespace orepa {
namespace {

constexpr int64_t kFirstWait = 10;
constexpr const char* kLinks[] = {"_latest.caffemodel", "_latest.solverstate", "_best.caffemodel"};

void make_folder(const std::string& prefix) {
  std::error_code failure;
  std::filesystem::create_directories(folder_of(prefix), failure);
  require(!failure, folder_of(prefix),
          ": the folder for snapshots cannot be made: ", failure.message());
}

void remove(const std::string& path) {
  std::error_code failure;
  std::filesystem::remove(path, failure);
  require(!failure, path, ": cannot be removed: ", failure.message());
}

}  // namespace

Snapshots::Snapshots(const SolverSettings& settings, Observer& observer, Communicator* ranks)
    : observer_(observer),
      ranks_(ranks),
      hdf5_(settings.hdf5 ? ".h5" : ""),
      averages_(settings.ema_decay > 0),
      keep_(settings.keep),
      prefixes_({settings.prefix}) {
  if (!settings.fallback.empty())
    prefixes_.push_back(
        (settings.fallback / std::filesystem::path(settings.prefix).filename()).string());
}

std::string Snapshots::newest() const {
  if (!writes()) return shared("");
  const NewestSnapshot newest = newest_snapshot(prefixes_);
  for (const std::string& damage : newest.damaged)
    observer_.note("passed over a newer snapshot: " + damage);
  return shared(newest.path);
}

bool Snapshots::any() const {
  const auto has_some = [](const std::string& prefix) { return !snapshot_files(prefix).empty(); };
  const bool some = writes() && std::any_of(prefixes_.begin(), prefixes_.end(), has_some);
  return !shared(some ? "some" : "").empty();
}

void Snapshots::remove_all() {
  for (const std::string& prefix : prefixes_) {
    for (const auto& [iteration, path] : snapshot_files(prefix)) remove(path);
    for (const char* name : kLinks)
      for (const char* hdf5 : {"", ".h5"})
        if (const std::string path = text(prefix, name, hdf5); std::filesystem::is_symlink(path))
          remove(path);
  }
}

void Snapshots::resume(const std::string& state, int64_t iteration) {
  last = state;
  iteration_ = iteration;
  std::error_code none;
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, none), none);
  };
  for (const std::string& prefix : prefixes_)
    if (whole(text(prefix, "_iter_", iteration, ".solverstate", hdf5_)) == whole(state))
      prefix_ = prefix;
}

void Snapshots::link_best() {
  if (!writes()) return;
  const std::string best = text("_iter_", best_, averages_ ? "_ema" : "", ".caffemodel");
  if (!prefix_.empty() && std::filesystem::exists(prefix_ + best + hdf5_))
    link("_best.caffemodel", best);
}

// Without links there are still the snapshots.
void Snapshots::link(const std::string& name, const std::string& target) {
  const std::filesystem::path leads_to = prefix_ + target + hdf5_;
  try {
    link_atomically(prefix_ + name + hdf5_, leads_to.filename().string());
  } catch (const Error& error) {
    observer_.note(error.what());
  }
}

// Later ones than the last are of a run that was gone back from: nobody asked to remove them.
void Snapshots::remove_old() {
  if (keep_ == 0) return;
  auto files = snapshot_files(prefix_);
  files.erase(files.upper_bound(iteration_), files.end());
  for (int64_t kept = 0; kept < keep_ && !files.empty(); ++kept)
    files.erase(std::prev(files.end())->first);
  files.erase(best_);
  for (const auto& [iteration, path] : files) {
    std::error_code failure;
    std::filesystem::remove(path, failure);
    if (failure)
      observer_.note(text(path, ": an old snapshot cannot be removed: ", failure.message()));
  }
}

void Snapshots::settle() {
  if (prefix_.empty() || !writes()) return;
  for (const char* ending : {".caffemodel", ".solverstate"})
    link(text("_latest", ending), text("_iter_", iteration_, ending));
  remove_old();
}

std::vector<LockFile> Snapshots::locks() const {
  std::vector<LockFile> locks;
  if (!writes()) return locks;
  for (const std::string& prefix : prefixes_) {
    make_folder(prefix);
    locks.emplace_back(prefix + ".lock",
                       "another training writes its snapshots there; wait for its end, or give "
                       "this one a snapshot_prefix of its own");
    if (!locks.back().obstacle().empty())
      observer_.note(text(prefix, ".lock: cannot be locked (", locks.back().obstacle(),
                          "); make sure that no other training has this snapshot_prefix"));
    else
      for (const char* name : {"_iter_", "_latest.", "_best."}) remove_leftovers(prefix + name);
  }
  return locks;
}

size_t Snapshots::write_somewhere(Snapshot& snapshot) {
  std::string reasons;
  for (size_t p = 0; p < prefixes_.size(); ++p) {
    try {
      make_folder(prefixes_[p]);
      last = snapshot.write(prefixes_[p]);
    } catch (const std::exception& reason) {
      reasons += text(reasons.empty() ? "" : "; ", reason.what());
      continue;
    }
    if (!reasons.empty()) observer_.note("snapshot_fallback is used: " + reasons);
    return p;
  }
  fail("no snapshot could be written: ", reasons);
}

void Snapshots::write(Snapshot&& snapshot) {
  std::string failure;
  size_t place = 0;
  try {
    if (writes()) place = write_somewhere(snapshot);
  } catch (const Error& error) {
    failure = error.what();
  }
  failure = shared(failure);
  require(failure.empty(), failure);
  place = shared(std::string(place, ' ')).size();
  last = shared(last);
  wait_ = 0;
  retry_ = -1;
  observer_.snapshotted(last);
  iteration_ = snapshot.iteration();
  prefix_ = prefixes_[place];
  settle();
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
