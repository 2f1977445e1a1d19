#include "core/temporary_file.h"

#include <unistd.h>

#include <cstdint>
#include <iomanip>
#include <random>
#include <set>
#include <sstream>
#include <utility>

#include "orepa/error.h"

namespace orepa {
namespace {

struct Registry {
  std::mutex mutex;
  std::set<std::string> paths;
};

Registry& registry() {
  static auto* const registry = new Registry;  // never destroyed: a signal may come at the very end
  return *registry;
}

std::string draw_mark() {
  std::random_device random;
  const uint64_t number = uint64_t{random()} << 32 | random();
  std::ostringstream mark;
  mark << ::getpid() << '-' << std::hex << std::setfill('0') << std::setw(16) << number;
  return mark.str();
}

}  // namespace

const std::string& process_mark() {
  static const std::string mark = draw_mark();
  return mark;
}

std::string temporary_name(const std::string& path) {
  return text(path, ".", process_mark(), ".tmp");
}

TemporaryFile::TemporaryFile(std::string path) : path_(std::move(path)) {
  const std::lock_guard lock(registry().mutex);
  registry().paths.insert(path_);
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFile::~TemporaryFile() {
  if (path_.empty()) return;
  const std::lock_guard lock(registry().mutex);
  ::unlink(path_.c_str());
  registry().paths.erase(path_);
}

std::unique_lock<std::mutex> hold_temporary_files() { return std::unique_lock(registry().mutex); }

void remove_temporary_files() {
  hold_temporary_files().release();  // for good
  for (const std::string& path : registry().paths) ::unlink(path.c_str());
}

}  // namespace orepa
