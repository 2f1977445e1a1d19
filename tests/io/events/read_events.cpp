#include "tests/io/events/read_events.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "io/events/record.h"
#include "tests/files.h"

namespace orepa {

uint64_t little_endian(const std::string& bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;)
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::vector<events::Event> read_events(const std::string& path) {
  const std::string file = read_all(path);
  std::vector<events::Event> all;
  for (size_t at = 0; at < file.size();) {
    const std::string length = file.substr(at, 8);
    EXPECT_EQ(little_endian(file.substr(at + 8, 4)), masked_crc32c(length));
    const std::string message = file.substr(at + 12, little_endian(length));
    EXPECT_EQ(message.size(), little_endian(length));
    EXPECT_EQ(little_endian(file.substr(at + 12 + message.size(), 4)), masked_crc32c(message));
    all.emplace_back();
    EXPECT_TRUE(all.back().ParseFromString(message));
    at += 16 + message.size();
  }
  return all;
}

std::vector<int64_t> event_steps(const std::string& folder, const std::string& tag) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      files.insert(entry.path().string());
  std::vector<int64_t> steps;
  for (const std::string& file : files)
    for (const events::Event& event : read_events(file)) {
      if (event.session_log().status() == events::SessionLog::START)
        std::erase_if(steps, [&](int64_t step) { return step >= event.step(); });
      for (const auto& value : event.summary().value())
        if (value.tag() == tag) steps.push_back(event.step());
    }
  return steps;
}

}  // namespace orepa
