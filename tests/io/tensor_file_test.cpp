#include "orepa/tensor_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include "io/positions.h"
#include "orepa/error.h"
#include "tests/files.h"

namespace orepa {
namespace {

TEST(TensorFile, GivesBackWhatWasWritten) {
  const std::string path = test_folder() + "tensors.h5";
  const std::vector<float> cube{1, 2, 3, 4, 5, 6, 7, 8};
  TensorFileWriter writer;
  writer.write("/data/stage1.0/conv/0.kxk.weight", {2, 2, 2}, cube);
  writer.write("loss", {}, {0.25f});
  writer.set_attribute("/data/stage1.0/conv/0.kxk.weight", "index", 7);
  writer.save(path);

  const TensorFileReader reader(path);
  EXPECT_EQ(reader.shape("/data/stage1.0/conv/0.kxk.weight"), (Shape{2, 2, 2}));
  EXPECT_EQ(reader.read("/data/stage1.0/conv/0.kxk.weight"), cube);
  EXPECT_EQ(reader.number("/data/stage1.0/conv/0.kxk.weight", "index"), 7);
  EXPECT_EQ(reader.shape("/loss"), Shape{});
  EXPECT_EQ(reader.read("/loss"), std::vector<float>{0.25f});
  EXPECT_EQ(reader.names(),
            (std::vector<std::string>{"/data/stage1.0/conv/0.kxk.weight", "/loss"}));
  EXPECT_EQ(reader.names("/data"), std::vector<std::string>{"/data/stage1.0/conv/0.kxk.weight"});
  EXPECT_TRUE(reader.names("/absent/deeper").empty());
  EXPECT_FALSE(reader.has("/absent/deeper"));
  EXPECT_FALSE(reader.has_attribute("/loss", "index"));
}

TEST(TensorFile, SeveralAreWrittenAtATime) {
  const std::string folder = test_folder();
  TensorFileWriter first, second;
  first.write("/a", {1}, {1});
  second.write("/a", {1}, {2});
  first.save(folder + "first.h5");
  second.save(folder + "second.h5");
  EXPECT_EQ(TensorFileReader(folder + "first.h5").read("/a"), std::vector<float>{1});
  EXPECT_EQ(TensorFileReader(folder + "second.h5").read("/a"), std::vector<float>{2});
}

// As h5py and PyTorch have it: a scalar of 64 bits, not a float.
TEST(TensorFile, WritesIntegers) {
  const std::string path = test_folder() + "integer.h5";
  TensorFileWriter writer;
  writer.write_integer("/steps", (int64_t{1} << 40) + 1);
  writer.save(path);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t array = H5Dopen2(file, "/steps", H5P_DEFAULT), type = H5Dget_type(array);
  EXPECT_GT(H5Tequal(type, H5T_STD_I64LE), 0);
  int64_t value = 0;
  EXPECT_GE(H5Dread(array, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), 0);
  EXPECT_EQ(value, (int64_t{1} << 40) + 1);
  H5O_info_t info;
  EXPECT_GE(H5Oget_info2(array, &info, H5O_INFO_TIME), 0);
  EXPECT_EQ(info.mtime, 0);  // or files of the same content would differ
  H5Tclose(type);
  H5Dclose(array);
  H5Fclose(file);
  EXPECT_EQ(TensorFileReader(path).shape("/steps"), Shape{});
}

TEST(TensorFile, RefusesWhatIsNotThere) {
  const std::string folder = test_folder(), path = folder + "small.h5";
  TensorFileWriter writer;
  writer.write("/a", {1}, {1});
  EXPECT_THROW(writer.write("/a", {1}, {1}), Error);
  EXPECT_THROW(writer.write("/b", {2}, {1}), Error);
  EXPECT_THROW(writer.save(folder + "no_such_folder/file.h5"), Error);
  writer.save(path);
  const TensorFileReader reader(path);
  EXPECT_THROW(reader.read("/b"), Error);
  EXPECT_THROW(reader.number("/a", "index"), Error);
  EXPECT_THROW(TensorFileReader(folder + "absent.h5"), Error);
}

// A file that is cut short, or has one byte changed, gives an Error or some values, never a crash.
TEST(TensorFile, SurvivesDamage) {
  const std::string path = test_folder() + "damaged.h5";
  TensorFileWriter writer;
  writer.write("/data/conv/weight", {4, 3}, std::vector<float>(12, 1.0f));
  writer.save(path);
  const std::string whole = read_file(path);
  const auto try_reading = [&](const std::string& content) {
    write_file(path, content);
    try {
      const TensorFileReader reader(path);
      for (const std::string& name : reader.names()) reader.read(name);
      return true;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      return false;
    }
  };
  EXPECT_TRUE(try_reading(whole));
  for (size_t length = 0; length < whole.size(); length += 37)
    EXPECT_FALSE(try_reading(whole.substr(0, length))) << length;
  for (size_t at = 0; at < whole.size(); at += 11) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    try_reading(changed);
  }
}

}  // namespace
}  // namespace orepa
