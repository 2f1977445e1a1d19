#include "data/sources/datum.h"

#include <gtest/gtest.h>

#include <cstring>

#include "orepa/error.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

// Only its samples' names are asked for.
class Named : public DataSource {
 public:
  int64_t size() const override { return 1; }
  void read(int64_t, Record&) const override {}
  std::string name(int64_t index) const override { return "sample " + std::to_string(index); }
};

Record read(const std::string& bytes) {
  Record record;
  read_datum({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, Named(), 4,
             record);
  return record;
}

std::string refusal(const std::string& bytes) {
  return error_of([&] { read(bytes); });
}

std::vector<float> numbers_of(const Record& record) {
  std::vector<float> numbers(record.content.size() / sizeof(float));
  std::memcpy(numbers.data(), record.content.data(), record.content.size());
  return numbers;
}

TEST(Datum, PointsAtPixels) {
  const std::string bytes = pixels_datum(3, 1, 2, "abcdef", -5).SerializeAsString();
  const Record record = read(bytes);
  EXPECT_EQ(record.kind, Record::Kind::kPixels);
  EXPECT_EQ(record.channels, 3);
  EXPECT_EQ(record.height, 1);
  EXPECT_EQ(record.width, 2);
  EXPECT_EQ(record.label, -5);
  EXPECT_EQ(content_of(record), "abcdef");
  EXPECT_GE(record.content.data(), reinterpret_cast<const unsigned char*>(bytes.data()));
  EXPECT_LT(record.content.data(), reinterpret_cast<const unsigned char*>(&*bytes.end()));
}

TEST(Datum, PointsAtFiles) {
  const std::string bytes = file_datum("any file", 7).SerializeAsString();
  const Record record = read(bytes);
  EXPECT_EQ(record.kind, Record::Kind::kFile);
  EXPECT_EQ(content_of(record), "any file");
  EXPECT_EQ(record.label, 7);
}

// As proto2 writes them, one by one; packed; and both.
TEST(Datum, GathersNumbers) {
  Datum datum = pixels_datum(1, 2, 2, "", 1);
  for (const float value : {1.5f, -2.0f, 3.0f, 4.0f}) datum.add_float_data(value);
  std::string bytes = datum.SerializeAsString();
  EXPECT_EQ(read(bytes).kind, Record::Kind::kNumbers);
  EXPECT_EQ(numbers_of(read(bytes)), (std::vector<float>{1.5f, -2, 3, 4}));

  const float more[] = {5, 6};
  const std::string packed =
      std::string("\x32\x08", 2) + std::string(reinterpret_cast<const char*>(more), sizeof more);
  bytes = pixels_datum(1, 1, 2, "", 0).SerializeAsString() + packed;
  EXPECT_EQ(numbers_of(read(bytes)), (std::vector<float>{5, 6}));
  bytes = pixels_datum(1, 1, 4, "", 0).SerializeAsString() + packed + packed;
  EXPECT_EQ(numbers_of(read(bytes)), (std::vector<float>{5, 6, 5, 6}));
  datum.set_height(3);
  bytes = datum.SerializeAsString() + packed;
  EXPECT_EQ(numbers_of(read(bytes)), (std::vector<float>{1.5f, -2, 3, 4, 5, 6}));
}

TEST(Datum, PassesOverUnknownFieldsAndTakesTheLastOne) {
  const std::string unknown = "\x42\x03xyz\x48\x01";
  const std::string bytes = unknown + pixels_datum(1, 1, 1, "a", 2).SerializeAsString() + unknown +
                            pixels_datum(1, 1, 2, "bc", 3).SerializeAsString();
  EXPECT_EQ(content_of(read(bytes)), "bc");
  EXPECT_EQ(read(bytes).label, 3);
}

TEST(Datum, RefusesWhatIsNone) {
  EXPECT_EQ(refusal("no datum"), "sample 4: is no Datum message of Caffe; it has 8 bytes");
  EXPECT_EQ(refusal(""), "sample 4: is a Datum message without data");
  EXPECT_EQ(refusal(file_datum("", 1).SerializeAsString()),
            "sample 4: is a Datum message without data");
  EXPECT_EQ(refusal(pixels_datum(3, 2, 2, "12345678901", 0).SerializeAsString()),
            "sample 4: has 11 bytes, expected channels x height x width = 3 x 2 x 2; a JPEG or PNG "
            "file needs `encoded`");
  const int most = std::numeric_limits<int>::max();
  for (const Datum& datum :
       {pixels_datum(most, most, most, "x", 0), pixels_datum(-1, -1, 1, "x", 0),
        pixels_datum(0, 0, 0, "x", 0), pixels_datum(1 << 16, 1 << 16, 1, "x", 0)})
    EXPECT_NE(refusal(datum.SerializeAsString()).find("has 1 bytes"), std::string::npos);
  const std::string whole = pixels_datum(1, 2, 4, "12345678", 1).SerializeAsString();
  for (size_t length = 0; length + 2 < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
}

}  // namespace
}  // namespace orepa
