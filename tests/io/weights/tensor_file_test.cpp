#include "orepa/tensor_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include "core/input_file.h"
#include "orepa/error.h"
#include "tests/error_of.h"
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

class Hdf5 {
 public:
  explicit Hdf5(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~Hdf5() { H5Fclose(file_); }
  hid_t file() const { return file_; }
  // Without numbers in it; in chunks, compressed, where some are given.
  void claim(const std::string& name, const std::vector<hsize_t>& extents,
             const std::vector<hsize_t>& chunk = {}, hid_t type = H5T_IEEE_F32LE) {
    const std::vector<hsize_t> unlimited(extents.size(), H5S_UNLIMITED);
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(),
                                         chunk.empty() ? nullptr : unlimited.data());
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) {
      H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
      H5Pset_deflate(properties, 6);
    }
    const hid_t array =
        H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    EXPECT_GE(array, 0);
    H5Dclose(array);
    H5Pclose(properties);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

std::string error_of_reading(const std::string& path) {
  return error_of([&] {
    const TensorFileReader reader(path);
    for (const std::string& name : reader.names()) reader.read(name);
  });
}

// A few kilobytes could ask for gigabytes.
TEST(TensorFile, HoldsWhatItsArraysClaimTogether) {
  const std::string path = test_folder() + "claims.h5";
  const std::string expected = "claim more than a file of ";
  { Hdf5(path).claim("/a", {1 << 20, 1 << 10}); }
  EXPECT_NE(error_of_reading(path).find(expected), std::string::npos) << error_of_reading(path);
  {
    Hdf5 file(path);  // 100 times what each may claim alone
    for (int i = 0; i < 100; ++i) file.claim("/" + std::to_string(i), {200'000}, {1000});
  }
  EXPECT_NE(error_of_reading(path).find(expected), std::string::npos) << error_of_reading(path);
  { Hdf5(path).claim("/a", {1}, {1 << 29}); }
  EXPECT_NE(error_of_reading(path).find(expected), std::string::npos) << error_of_reading(path);
  { Hdf5(path).claim("/a", {hsize_t{1} << 40, hsize_t{1} << 40, hsize_t{1} << 40}); }
  EXPECT_NE(error_of_reading(path).find("claims to hold"), std::string::npos);
  {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size_t{1} << 20);
    Hdf5(path).claim("/a", {1}, {}, type);
    H5Tclose(type);
  }
  EXPECT_NE(error_of_reading(path).find(expected), std::string::npos) << error_of_reading(path);
  for (const char* name : {"h5_elem.h5", "h5_ovf.h5"})
    EXPECT_NE(error_of_reading(source_file(std::string("tests/hostile/") + name)), "") << name;
}

TEST(TensorFile, ReadsItsOwnFileAlone) {
  const std::string folder = test_folder(), path = folder + "links.h5";
  TensorFileWriter other;
  other.write("/secret", {1}, {42});
  other.save(folder + "other.h5");
  {
    const Hdf5 file(path);
    H5Lcreate_external((folder + "other.h5").c_str(), "/secret", file.file(), "/external",
                       H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/external", file.file(), "/soft", H5P_DEFAULT, H5P_DEFAULT);
  }
  const TensorFileReader reader(path);
  for (const char* name : {"/external", "/soft"})
    EXPECT_NE(error_of([&] { reader.read(name); }), "") << name;
}

}  // namespace
}  // namespace orepa
