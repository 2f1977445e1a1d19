#include "orepa/weights.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "core/input_file.h"
#include "io/weights/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "orepa/random.h"
#include "orepa/tensor_file.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using Status = WeightsReport::Status;

constexpr char kNet[] = R"(
name: "small"
layer { name: "a/conv" type: "Convolution" bottom: "x" top: "y" }
layer { name: "bn" type: "BatchNorm" bottom: "y" top: "y" }
layer { name: "fc" type: "InnerProduct" bottom: "y" top: "z" })";

// The parameters of kNet, as its layers declare them, with gaussian values.
class Weights : public testing::Test {
 protected:
  Weights() : folder_(test_folder()), spec_(NetSpec::parse(kNet, "small.prototxt")) {}

  std::unique_ptr<Parameters> parameters(uint64_t seed, double steady = 10) {
    auto made = std::make_unique<Parameters>(*device_, seed, false);
    Filler random;
    random.type = "gaussian";
    declare(*made, "a/conv", "weight", 0, {4, 2, 3, 3}, random);
    declare(*made, "a/conv", "bias", 1, {4}, random);
    declare(*made, "bn", "mean", 0, {4}, random, Parameter::Kind::kBuffer);
    declare(*made, "bn", "variance", 1, {4}, random, Parameter::Kind::kBuffer);
    declare(*made, "bn", "factor", 2, {1}, Filler::constant(steady), Parameter::Kind::kBuffer);
    declare(*made, "fc", "weight", 0, {3, 5}, random);
    declare(*made, "fc", "derived", -1, {3}, random, Parameter::Kind::kDerived);
    made->allocate();
    return made;
  }

  static std::vector<float> values(const Parameters& parameters, const std::string& layer,
                                   const std::string& name) {
    return parameters.read(*parameters.find(layer, name));
  }

  static void expect_equal(const Parameters& a, const Parameters& b) {
    for (const auto& parameter : a.all()) {
      if (parameter->kind == Parameter::Kind::kDerived) continue;
      EXPECT_EQ(a.read(*parameter), values(b, parameter->layer, parameter->name))
          << parameter->path();
    }
  }

  // What loading says; empty where it succeeds.
  std::string refusal(const std::string& path, bool strict = false) {
    return error_of([&] { load_weights({path}, *parameters(3), strict); });
  }

  // A file with the three blobs of "bn".
  std::string batch_norm_file(float mean, float variance, float factor) {
    const std::string path = folder_ + "bn.caffemodel";
    write_file(path, caffemodel_bytes(path, spec_,
                                      {{"bn", "0", {4}, std::vector<float>(4, mean)},
                                       {"bn", "1", {4}, std::vector<float>(4, variance)},
                                       {"bn", "2", {1}, {factor}}}));
    return path;
  }

  std::string folder_;
  NetSpec spec_;
  std::unique_ptr<Device> device_ = test_device();

 private:
  static void declare(Parameters& parameters, const std::string& layer, const std::string& name,
                      int index, const Shape& shape, const Filler& filler,
                      Parameter::Kind kind = Parameter::Kind::kLearned) {
    Parameter wanted;
    wanted.layer = layer;
    wanted.name = name;
    wanted.index = index;
    wanted.kind = kind;
    wanted.filler = filler;
    parameters.declare(std::move(wanted), shape);
  }
};

TEST_F(Weights, ComeBackFromBothFormats) {
  for (const char* name : {"w.caffemodel", "w.caffemodel.h5"}) {
    const auto saved = parameters(1), loaded = parameters(2);
    save_weights(folder_ + name, spec_, *saved);
    const WeightsReport report = load_weights({folder_ + name}, *loaded, true);
    EXPECT_EQ(report.count(Status::kLoaded), 6);
    EXPECT_EQ(report.rows.size(), 6u);
    expect_equal(*saved, *loaded);
  }
}

TEST_F(Weights, AreWrittenInCaffesOrderAndNames) {
  const auto saved = parameters(1);
  save_weights(folder_ + "w.h5", spec_, *saved);
  const TensorFileReader file(folder_ + "w.h5");
  EXPECT_EQ(file.shape("/data/a/conv/weight"), (Shape{4, 2, 3, 3}));
  EXPECT_EQ(file.read("/data/a/conv/weight"), values(*saved, "a/conv", "weight"));
  EXPECT_EQ(file.read("/data/bn/factor"), std::vector<float>{1});

  save_weights(folder_ + "w.caffemodel", spec_, *saved);
  const std::vector<StoredBlob> blobs = read_caffemodel(folder_ + "w.caffemodel");
  ASSERT_EQ(blobs.size(), 6u);
  EXPECT_EQ(blobs[0].values, values(*saved, "a/conv", "weight"));
  EXPECT_EQ(blobs[4].layer, "bn");
  EXPECT_EQ(blobs[4].values, std::vector<float>{1});
}

// Caffe's own HDF5 snapshots: keys are indices.
TEST_F(Weights, AreFoundByIndexInHdf5) {
  TensorFileWriter writer;
  writer.write("/data/fc/0", {3, 5}, std::vector<float>(15, 2));
  writer.write("/data/bn/0", {4}, std::vector<float>(4, 3));
  writer.write("/data/bn/1", {4}, std::vector<float>(4, 1));
  writer.save(folder_ + "w.h5");
  const auto loaded = parameters(1);
  const WeightsReport report = load_weights({folder_ + "w.h5"}, *loaded);
  EXPECT_EQ(report.count(Status::kLoaded), 3);
  EXPECT_EQ(report.count(Status::kMissing), 2);  // the factor may be absent
  EXPECT_EQ(values(*loaded, "fc", "weight"), std::vector<float>(15, 2));
  EXPECT_EQ(values(*loaded, "bn", "mean"), std::vector<float>(4, 3));
  EXPECT_EQ(values(*loaded, "bn", "factor"), std::vector<float>{10});
}

TEST_F(Weights, ReportWhatDoesNotFit) {
  const std::string path = folder_ + "w.h5";
  TensorFileWriter writer;
  writer.write("/data/fc/weight", {1, 3, 5, 1}, std::vector<float>(15, 2));  // only ones differ
  writer.write("/data/a/conv/weight", {4, 2, 5, 5}, std::vector<float>(200));
  writer.write("/data/a/conv/bias", {4}, std::vector<float>(4));
  writer.write("/data/old/weight", {7}, std::vector<float>(7));
  writer.save(path);
  const auto loaded = parameters(1);
  const std::vector<float> before = values(*loaded, "a/conv", "weight");
  EXPECT_EQ(load_weights({path}, *loaded).table(),
            "weights: 2 loaded, 2 missing, 1 unused, 1 misshapen\n"
            "  misshapen  a/conv/weight  4 x 2 x 3 x 3 wanted, 4 x 2 x 5 x 5 in " +
                path +
                "\n"
                "  unused     old/weight     7 in " +
                path +
                "\n"
                "  missing    bn/mean        4\n"
                "  missing    bn/variance    4\n");
  EXPECT_EQ(values(*loaded, "a/conv", "weight"), before);
  EXPECT_EQ(values(*loaded, "fc", "weight"), std::vector<float>(15, 2));

  const auto untouched = parameters(1), strict = parameters(1);
  EXPECT_THROW(load_weights({path}, *strict, true), Error);
  expect_equal(*untouched, *strict);
}

// As in Caffe: of a layer with more blobs, or fewer, it is not known which is which.
TEST_F(Weights, OfAnotherNumberOfBlobsAreRefused) {
  const auto caffemodel = [&](const std::vector<StoredBlob>& blobs) {
    write_file(folder_ + "w.caffemodel", caffemodel_bytes(folder_ + "w.caffemodel", spec_, blobs));
    return refusal(folder_ + "w.caffemodel");
  };
  const auto hdf5 = [&](const std::string& layer, const std::vector<std::string>& keys) {
    TensorFileWriter writer;
    for (const std::string& key : keys)
      writer.write("/data/" + layer + "/" + key, {4}, std::vector<float>(4));
    writer.save(folder_ + "w.h5");
    return refusal(folder_ + "w.h5");
  };
  const StoredBlob kernel{"a/conv", "0", {4, 2, 3, 3}, std::vector<float>(72)},
      bias{"a/conv", "1", {4}, std::vector<float>(4)};
  EXPECT_EQ(caffemodel({kernel, bias}), "");
  EXPECT_EQ(caffemodel({kernel}),
            folder_ +
                "w.caffemodel: layer \"a/conv\" has 1 blobs there, and 2 in the net; to learn "
                "it from scratch, give it another name in the net");
  EXPECT_NE(caffemodel({kernel, bias, {"a/conv", "2", {4}, std::vector<float>(4)}})
                .find("has 3 blobs there, and 2 in the net"),
            std::string::npos);
  EXPECT_NE(hdf5("a/conv", {"0"}).find("has 1 blobs there, and 2"), std::string::npos);
  EXPECT_NE(hdf5("bn", {"mean", "variance", "factor", "scale", "bias"}).find("has 5 blobs there"),
            std::string::npos);
  EXPECT_EQ(hdf5("a/conv", {"bias"}), "");  // a name says which one it is
  EXPECT_EQ(hdf5("bn", {"0", "1"}), "");    // the factor may be absent
}

TEST_F(Weights, ComeFromSeveralFiles) {
  const std::string first = folder_ + "first.h5", second = folder_ + "second.caffemodel";
  TensorFileWriter writer;
  writer.write("/data/fc/weight", {3, 5}, std::vector<float>(15, 2));
  writer.write("/data/a/conv/bias", {4}, std::vector<float>(4, 2));
  writer.save(first);
  write_file(second, caffemodel_bytes(second, spec_,
                                      {{"a/conv", "0", {4, 2, 3, 3}, std::vector<float>(72, 1)},
                                       {"a/conv", "1", {4}, std::vector<float>(4, 1)}}));
  const auto loaded = parameters(1);
  const WeightsReport report = load_weights({first, second}, *loaded);
  EXPECT_EQ(report.count(Status::kLoaded), 3);
  EXPECT_EQ(report.count(Status::kMissing), 2);
  EXPECT_EQ(values(*loaded, "fc", "weight"), std::vector<float>(15, 2));
  EXPECT_EQ(values(*loaded, "a/conv", "bias"), std::vector<float>(4, 1));
}

TEST_F(Weights, OfBatchNormAreDividedByTheFactor) {
  const auto loaded = parameters(1, 10);
  load_weights({batch_norm_file(6, 3, 4)}, *loaded);
  EXPECT_EQ(values(*loaded, "bn", "mean"), std::vector<float>(4, 1.5f));
  EXPECT_EQ(values(*loaded, "bn", "variance"), std::vector<float>(4, 0.75f));
  EXPECT_EQ(values(*loaded, "bn", "factor"), std::vector<float>{10});
  load_weights({batch_norm_file(6, 3, 0)}, *loaded);
  EXPECT_EQ(values(*loaded, "bn", "mean"), std::vector<float>(4, 0));
  EXPECT_EQ(values(*loaded, "bn", "variance"), std::vector<float>(4, 0));
  EXPECT_EQ(values(*loaded, "bn", "factor"), std::vector<float>{10});
}

TEST_F(Weights, OfBatchNormKeepTheFactorWhereItAveragesAsCaffe) {
  const auto loaded = parameters(1, 0);
  load_weights({batch_norm_file(6, 3, 4)}, *loaded);
  EXPECT_EQ(values(*loaded, "bn", "mean"), std::vector<float>(4, 1.5f));
  EXPECT_EQ(values(*loaded, "bn", "factor"), std::vector<float>{4});
}

TEST_F(Weights, ThatAreNotFiniteAreRefused) {
  const std::string message =
      refusal(batch_norm_file(std::numeric_limits<float>::quiet_NaN(), 1, 1));
  EXPECT_NE(message.find("layer \"bn\", blob 0: number 0 is nan"), std::string::npos) << message;
}

// NVIDIA's and Intel's BatchNorm has the Scale behind it in itself.
TEST_F(Weights, OfABatchNormWithFiveBlobsAreThoseOfTheScaleToo) {
  const NetSpec net = NetSpec::parse(R"(
      layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 } } }
      layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" }
      layer { name: "scale" type: "Scale" bottom: "y" top: "y" scale_param { bias_term: true } }
      layer { name: "last" type: "BatchNorm" bottom: "y" top: "z" })",
                                     "net");
  const auto file = [&](const std::string& name, const std::string& layer, int count) {
    TensorFileWriter writer;
    for (int i = 0; i < count; ++i)
      writer.write(text("/data/", layer, "/", i), i == 2 ? Shape{1} : Shape{1, 4, 1, 1},
                   std::vector<float>(i == 2 ? 1 : 4, static_cast<float>(i + 1)));
    writer.save(folder_ + name);
    return folder_ + name;
  };
  const auto load = [&](const std::vector<std::string>& files, Parameters& parameters) {
    Arena arena(*device_);
    NetOptions options;
    options.phase = Phase::kTest;
    const Net built(net, parameters, arena, options);
    return load_weights(files, parameters);
  };
  Parameters five(*device_, 1, false);
  EXPECT_EQ(load({file("five.h5", "bn", 5)}, five).count(Status::kLoaded), 5);
  EXPECT_EQ(values(five, "bn", "mean"), std::vector<float>(4, 1.0f / 3));
  EXPECT_EQ(values(five, "bn", "variance"), std::vector<float>(4, 2.0f / 3));
  EXPECT_EQ(values(five, "scale", "scale"), std::vector<float>(4, 4));
  EXPECT_EQ(values(five, "scale", "bias"), std::vector<float>(4, 5));

  const auto error = [&](const std::string& path) {
    Parameters parameters(*device_, 1, false);
    return error_of([&] { load({path}, parameters); });
  };
  // Intel's with bias_term: false.
  EXPECT_EQ(error(file("four.h5", "bn", 4)),
            folder_ +
                "four.h5: layer \"scale\" has 1 blobs there, and 2 in the net; to learn it from "
                "scratch, give it another name in the net");
  EXPECT_EQ(error(file("last.h5", "last", 5)),
            folder_ +
                "last.h5: layer \"last\" holds scale and bias too, as a BatchNorm of NVIDIA's "
                "and Intel's Caffe; put a Scale layer with bias_term: true behind it into the "
                "net");
  TensorFileWriter both;
  both.write("/data/bn/3", {4}, std::vector<float>(4));
  both.write("/data/scale/0", {4}, std::vector<float>(4));
  both.save(folder_ + "both.h5");
  EXPECT_EQ(error(folder_ + "both.h5"),
            folder_ +
                "both.h5: layers \"bn\" and \"scale\" both hold a scale; the net has one for "
                "them");
}

// The words of NVIDIA's Caffe, with its weights, are the net with the Scale written out.
TEST_F(Weights, OfABatchNormWithFiveBlobsFitTheNetThatTheyAreOf) {
  const auto outputs = [&](const std::string& norm, const std::string& path) {
    const NetSpec net = NetSpec::parse(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 } } } "
        "layer { name: 'bn' type: 'BatchNorm' bottom: 'x' top: 'y' " +
            norm,
        "net");
    Parameters parameters(*device_, 1, false);
    Arena arena(*device_);
    Net built(net, parameters, arena, {});
    EXPECT_EQ(load_weights({path}, parameters, true).count(Status::kLoaded), 5);
    built.prepare();
    built.set("x", {1, 2, 3, 4, 5, 6});
    built.forward(0);
    return built.read("y");
  };
  const std::string path = folder_ + "five.caffemodel";
  write_file(path,
             caffemodel_bytes(path, NetSpec::parse("layer { name: 'bn' type: 'BatchNorm' }", ""),
                              {{"bn", "0", {3}, {1, 2, 3}},
                               {"bn", "1", {3}, {4, 9, 16}},
                               {"bn", "2", {1}, {1}},
                               {"bn", "3", {3}, {2, 3, 4}},
                               {"bn", "4", {3}, {10, 20, 30}}}));
  const std::vector<float> own = outputs("batch_norm_param { scale_bias: true } }", path);
  EXPECT_EQ(own, outputs("} layer { name: 'other' type: 'Scale' bottom: "
                         "'y' top: 'y' scale_param { bias_term: true } }",
                         path));
  // (x - mean) / deviation * scale + bias; eps 1e-5 beside variances of 4 and more makes less than
  // 4e-6 of 3, and rounding as much again.
  const std::vector<float> expected = {10, 20, 30, 13, 23, 33};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(own.at(i), expected[i], 1e-5);
}

// The last byte of a file of nearly 2 GiB counts; it takes no room on the disk.
TEST_F(Weights, UpToTwoGibibytesAreRead) {
  const std::string path = folder_ + "large.caffemodel";
  const int64_t most = std::numeric_limits<int32_t>::max();
  std::string layer =
      caffemodel_bytes(path, spec_, {{"fc", "0", {3, 5}, std::vector<float>(15, 2)}});
  const int64_t hole = most - static_cast<int64_t>(layer.size()) - 7;
  std::string head = {'\xfa', '\x3e'};  // of a field of bytes, 1007, that Caffe does not have
  for (int64_t rest = hole; rest > 0; rest >>= 7)
    head += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
  ASSERT_EQ(head.size(), 7u);
  write_file(path, head);
  std::filesystem::resize_file(path, head.size() + static_cast<size_t>(hole));
  std::ofstream(path, std::ios::binary | std::ios::app) << layer;
  ASSERT_EQ(std::filesystem::file_size(path), static_cast<uintmax_t>(most));
  const auto loaded = parameters(1);
  EXPECT_EQ(load_weights({path}, *loaded).count(Status::kLoaded), 1);
  EXPECT_EQ(values(*loaded, "fc", "weight"), std::vector<float>(15, 2));

  std::ofstream(path, std::ios::binary | std::ios::app) << '\0';
  EXPECT_EQ(refusal(path), path +
                               ": has 2147483648 bytes, more than the 2 GiB of a .caffemodel; "
                               "write such weights as .h5");
  std::filesystem::remove(path);
}

// Written by hand as the wire format says, since these fields are never written here.
TEST_F(Weights, InOldFormsAreRead) {
  const auto field = [](int number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
  };
  const auto varint = [](int number, char value) {
    return std::string{static_cast<char>(number << 3), value};
  };
  std::string doubles;
  for (int i = 0; i < 15; ++i) {
    const double value = 0.5 * i;
    doubles.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const std::string blob =
      varint(1, 1) + varint(2, 1) + varint(3, 3) + varint(4, 5) + field(8, doubles);
  const std::string layer = field(1, "fc") + field(7, "").substr(0, 1) +
                            std::string{static_cast<char>(0x80 | (blob.size() & 127)),
                                        static_cast<char>(blob.size() >> 7)} +
                            blob;
  const std::string path = folder_ + "old.caffemodel";
  write_file(path, std::string{'\xa2', '\x06', static_cast<char>(0x80 | (layer.size() & 127)),
                               static_cast<char>(layer.size() >> 7)} +
                       layer);
  const auto loaded = parameters(1);
  EXPECT_EQ(load_weights({path}, *loaded).count(Status::kLoaded), 1);
  EXPECT_EQ(values(*loaded, "fc", "weight")[14], 7.0f);
}

TEST_F(Weights, InBadFilesAreRefused) {
  EXPECT_NE(refusal(folder_ + "absent.caffemodel").find("No such file"), std::string::npos);
  EXPECT_NE(refusal(folder_ + "absent.h5").find("absent.h5"), std::string::npos);
  EXPECT_NE(refusal(folder_ + "x.solverstate").find("--snapshot"), std::string::npos);
  EXPECT_THROW(load_weights({}, *parameters(3)), Error);
  write_file(folder_ + "empty.caffemodel", "");
  EXPECT_NE(refusal(folder_ + "empty.caffemodel").find("is empty"), std::string::npos);
  TensorFileWriter writer;
  writer.write("/other/fc/weight", {1}, {1});
  writer.save(folder_ + "other.h5");
  EXPECT_NE(refusal(folder_ + "other.h5").find("no group /data"), std::string::npos);
}

// Any damage gives an Error that names the file, or some report, never a crash.
TEST_F(Weights, SurviveDamage) {
  const auto saved = parameters(1);
  for (const char* name : {"w.caffemodel", "w.h5"}) {
    const std::string path = folder_ + name;
    save_weights(path, spec_, *saved);
    const std::string whole = read_file(path);
    const orepa::Random random(9, name);
    for (uint64_t i = 0; i < 150; ++i) {
      std::string content = whole;
      const uint64_t at = random.below(3 * i, whole.size());
      if (i % 3 == 0)
        content.resize(at);
      else if (i % 3 == 1)
        content[at] = static_cast<char>(random.below(3 * i + 1, 256));
      else
        for (uint64_t j = 0; j < content.size(); ++j)
          content[j] = static_cast<char>(orepa::Random(i, name).below(j, 256));
      write_file(path, content);
      const std::string message = refusal(path);
      EXPECT_TRUE(i % 3 != 2 || !message.empty());
      EXPECT_TRUE(message.empty() || message.find(path) != std::string::npos) << message;
    }
  }
}

TEST_F(Weights, LeaveNothingBehindWhereTheyCannotBeWritten) {
  const auto saved = parameters(1);
  for (const char* name : {"w.caffemodel", "w.h5"})
    EXPECT_THROW(save_weights(folder_ + "no/such/folder/" + name, spec_, *saved), Error);
  EXPECT_THROW(save_weights(folder_ + "w.txt", spec_, *saved), Error);
  const NetSpec other = NetSpec::parse("layer { name: 'fc' type: 'InnerProduct' }", "other");
  EXPECT_THROW(save_weights(folder_ + "w.caffemodel", other, *saved), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace orepa
