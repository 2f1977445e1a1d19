#include <gtest/gtest.h>
#include <hdf5.h>

#include <atomic>
#include <thread>

#include "core/hdf5_object.h"
#include "data/sources/sources.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

using hdf5::Object;

class Hdf5 : public testing::Test {
 protected:
  void add(const std::string& name, const std::vector<hsize_t>& extents, hid_t stored, hid_t memory,
           const void* values, bool compressed = false) {
    const Object space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                       H5Sclose);
    const Object properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (compressed) {
      std::vector<hsize_t> chunk = extents;
      chunk[0] = 1;
      H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
      H5Pset_deflate(properties, 1);
    }
    const Object file(std::filesystem::exists(path_)
                          ? H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT)
                          : H5Fcreate(path_.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT),
                      H5Fclose);
    const Object array(
        H5Dcreate2(file, name.c_str(), stored, space, H5P_DEFAULT, properties, H5P_DEFAULT),
        H5Dclose);
    ASSERT_GE(H5Dwrite(array, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
  }
  std::string refusal(bool labels = true) const {
    return error_of([&] { open_hdf5(path_, labels); });
  }
  const std::string path_ = test_folder() + "set.h5";
};

TEST_F(Hdf5, ReadsSamplesOneByOne) {
  add("data", {2, 3, 1, 2}, H5T_STD_U8LE, H5T_NATIVE_UINT8, "abcdefghijkl", true);
  const int16_t labels[] = {-4, 300};
  add("label", {2}, H5T_STD_I16BE, H5T_NATIVE_INT16, labels);
  const auto source = open_hdf5(path_, true);
  EXPECT_EQ(samples_of(*source, ""),
            (std::vector<std::string>{"sample 0 of " + path_ + "=abcdef=-4",
                                      "sample 1 of " + path_ + "=ghijkl=300"}));
  Record record;
  source->read(1, record);
  EXPECT_EQ(record.channels, 3);
  EXPECT_EQ(record.height, 1);
  EXPECT_EQ(record.width, 2);
  EXPECT_EQ(source->labels()->most, 300);
  EXPECT_EQ(open_hdf5(path_, false)->labels(), nullptr);
}

TEST_F(Hdf5, TakesGrayImagesWithoutChannels) {
  add("data", {1, 2, 2}, H5T_STD_U8LE, H5T_NATIVE_UINT8, "abcd");
  Record record;
  open_hdf5(path_, false)->read(0, record);
  EXPECT_EQ(record.channels, 1);
  EXPECT_EQ(record.height, 2);
}

// While weights are read by another thread.
TEST_F(Hdf5, IsReadByManyThreads) {
  const std::string bytes(64 * 100, 'x');
  add("data", {64, 1, 10, 10}, H5T_STD_U8LE, H5T_NATIVE_UINT8, bytes.data(), true);
  const auto source = open_hdf5(path_, false);
  const std::string weights = path_ + ".weights";
  TensorFileWriter writer;
  writer.write("w", {100}, std::vector<float>(100, 2.0f));
  writer.save(weights);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      Record record;
      for (int i = 0; i < 200; ++i) {
        source->read(i % 64, record);
        wrong += content_of(record) != std::string(100, 'x');
      }
    });
  for (int i = 0; i < 100; ++i)
    wrong += TensorFileReader(weights).read("w") != std::vector<float>(100, 2.0f);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Hdf5, RefusesOtherArrays) {
  EXPECT_NE(refusal().find("No such file"), std::string::npos);
  write_file(path_, "no HDF5");
  EXPECT_EQ(refusal(), path_ + ": is no readable HDF5 file");
  std::filesystem::remove(path_);
  const float numbers[] = {1, 2, 3, 4};
  add("label", {4}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, numbers);
  EXPECT_EQ(refusal(), path_ + ": has no array /data");
  add("data", {1, 1, 2, 2}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, numbers);
  EXPECT_NE(refusal().find("array data is 1 x 1 x 2 x 2, not of bytes"), std::string::npos);
  std::filesystem::remove(path_);
  add("data", {2, 1, 1, 2}, H5T_STD_U8LE, H5T_NATIVE_UINT8, "abcd");
  EXPECT_EQ(refusal(), path_ + ": has no array /label");
  EXPECT_EQ(refusal(false), "");
  add("label", {4}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, numbers);
  EXPECT_NE(refusal().find("array label is 4, no integers; expected an integer for each of 2"),
            std::string::npos)
      << refusal();
  std::filesystem::remove(path_);
  add("data", {4}, H5T_STD_U8LE, H5T_NATIVE_UINT8, "abcd");
  EXPECT_NE(refusal(false).find("expected unsigned bytes"), std::string::npos);
}

}  // namespace
}  // namespace orepa
