// EventFile: scalars of a run as TensorBoard reads them.
//
// A run that goes on from a snapshot writes a file of its own beside the earlier ones; TensorBoard
// then forgets what those say of steps that were done again.
#pragma once
#include <cstdint>
#include <string>

namespace orepa {

class EventFile {
 public:
  // Makes `folder`/events.out.tfevents.SECONDS.HOST, which is not there yet. `first_step`: the
  // first step that will be written, 0 for a new run; points of earlier files at this step and
  // behind count no more. Throws Error where it cannot be written.
  EventFile(const std::string& folder, int64_t first_step);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();

  // One point of the curve `tag`, in the file when it returns. A tag with slashes, "test/accuracy",
  // stands in a group of its first word. Throws Error where it cannot be written.
  void scalar(const std::string& tag, int64_t step, double value);

  const std::string& path() const { return path_; }

 private:
  void write(const std::string& message);

  std::string path_;
  int file_ = -1;
};

}  // namespace orepa
