// Event files, read back: frames, checksums, and what their messages say. TensorBoard itself reads
// them in tests/referees/test_events.py, which runs EventFile.OfARunAndOfOneThatGoesOn.
#include "io/events/event_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <vector>

#include "io/events/record.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/io/events/read_events.h"

namespace orepa {
namespace {

// RFC 3720, B.4.
TEST(Record, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending;
  for (char byte = 0; byte < 32; ++byte) ascending += byte;
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(Record, IsLengthMessageAndTheirChecksums) {
  const std::string record = record_of("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  const uint32_t crc = crc32c("abc");
  EXPECT_EQ(little_endian(record.substr(15)), (crc >> 15 | crc << 17) + 0xa282ead8U);
}

TEST(EventFile, StartsWithItsVersionAndItsFirstStep) {
  const EventFile file(test_folder(), 42);
  const std::vector<events::Event> all = read_events(file.path());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].file_version(), "brain.Event:2");
  EXPECT_EQ(all[1].session_log().status(), events::SessionLog::START);
  EXPECT_EQ(all[1].step(), 42);
}

TEST(EventFile, HasEveryPointWhenItWasWritten) {
  EventFile file(test_folder(), 0);
  file.scalar("test/accuracy", 7, 0.875);
  events::Event point = read_events(file.path()).back();
  EXPECT_EQ(point.step(), 7);
  ASSERT_EQ(point.summary().value_size(), 1);
  EXPECT_EQ(point.summary().value(0).tag(), "test/accuracy");
  EXPECT_EQ(point.summary().value(0).simple_value(), 0.875f);
  file.scalar("train/loss", 8, NAN);
  point = read_events(file.path()).back();
  EXPECT_TRUE(std::isnan(point.summary().value(0).simple_value()));
  EXPECT_GT(point.wall_time(), 1.6e9);
}

TEST(EventFile, TakesANameOfItsOwnThatSortsBehindEarlierOnes) {
  const std::string folder = test_folder();
  std::string last;
  for (int i = 0; i < 3; ++i) {
    const std::string path = EventFile(folder, i).path();
    EXPECT_TRUE(std::filesystem::path(path).filename().string().starts_with("events.out.tfevents."))
        << path;
    EXPECT_LT(last, path);
    last = path;
  }
}

TEST(EventFile, SaysWhereItCannotBeWritten) {
  const std::string folder = test_folder() + "absent";
  const std::string error = error_of([&] { EventFile(folder, 0); });
  EXPECT_NE(error.find(folder), std::string::npos) << error;
  EXPECT_NE(error.find("No such file"), std::string::npos) << error;
}

// Ten steps, of which the last four are lost and done again by a run that goes on with the seventh.
TEST(EventFile, OfARunAndOfOneThatGoesOn) {
  const std::string folder = test_folder();
  {
    EventFile file(folder, 0);
    for (int step = 1; step <= 10; ++step) file.scalar("train/loss", step, 1.0 / step);
    file.scalar("test/accuracy", 5, 0.5);
    file.scalar("test/accuracy", 10, 0.75);
  }
  {
    EventFile file(folder, 7);
    for (int step = 7; step <= 8; ++step) file.scalar("train/loss", step, 100 + step);
  }
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.insert(entry.path().string());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(read_events(*files.begin()).size(), 14u);
  EXPECT_EQ(read_events(*files.rbegin()).size(), 4u);
}

}  // namespace
}  // namespace orepa
