// Event files, read back.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "event.pb.h"

namespace orepa {

uint64_t little_endian(const std::string& bytes);

// The events of a file; every frame has to be whole, and every checksum right.
std::vector<events::Event> read_events(const std::string& path);

// The steps of a curve as TensorBoard shows it, of all event files of a folder.
std::vector<int64_t> event_steps(const std::string& folder, const std::string& tag);

}  // namespace orepa
