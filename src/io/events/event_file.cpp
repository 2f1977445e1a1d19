#include "io/events/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "event.pb.h"
#include "io/events/record.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// Readers purge by SessionLog::START in files of this version and newer.
constexpr const char* kVersion = "brain.Event:2";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

events::Event event_at(int64_t step) {
  events::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  return event;
}

}  // namespace

EventFile::EventFile(const std::string& folder, int64_t first_step) {
  // Readers take the files of a folder in the order of their names; ten digits last until 2286.
  for (auto seconds = static_cast<int64_t>(now()); file_ < 0; ++seconds) {
    path_ = text(folder, "/events.out.tfevents.", seconds, ".", host());
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    require(file_ >= 0 || errno == EEXIST, path_, ": cannot be written: ", std::strerror(errno));
  }
  events::Event version = event_at(0);
  version.set_file_version(kVersion);
  events::Event start = event_at(first_step);
  start.mutable_session_log()->set_status(events::SessionLog::START);
  try {
    write(version.SerializeAsString());
    write(start.SerializeAsString());
  } catch (const Error&) {
    ::close(file_);
    throw;
  }
}

EventFile::~EventFile() { ::close(file_); }

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  events::Event event = event_at(step);
  events::Summary::Value* point = event.mutable_summary()->add_value();
  point->set_tag(tag);
  point->set_simple_value(static_cast<float>(value));
  write(event.SerializeAsString());
}

void EventFile::write(const std::string& message) {
  const std::string record = record_of(message);
  for (size_t done = 0; done < record.size();) {
    const ssize_t bytes = ::write(file_, record.data() + done, record.size() - done);
    require(bytes >= 0 || errno == EINTR, path_, ": cannot be written: ", std::strerror(errno));
    if (bytes > 0) done += static_cast<size_t>(bytes);
  }
}

}  // namespace orepa
