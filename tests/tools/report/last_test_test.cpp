#include "tools/report/last_test.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "core/input_file.h"
#include "orepa/params.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tools/report/notes.h"
#include "tools/report/png.h"
#include "tools/report/sections.h"

namespace orepa::tool {
namespace {

TestedBatch batch(int64_t first_sample, const std::vector<float>& labels,
                  const std::vector<float>& scores) {
  TestedBatch made;
  made.first_sample = first_sample;
  made.classes = 3;
  made.labels = labels;
  made.scores = scores;
  return made;
}

TEST(LastTest, CountsWhatWasTakenForWhat) {
  LastTest test;
  EXPECT_TRUE(test.empty());
  test.add(batch(0, {0, 1, 2, 2}, {5, 0, 0, /**/ 0, 5, 0, /**/ 0, 0, 5, /**/ 4, 0, 0}));
  test.add(batch(4, {1, -1, 3, 255}, {0, 0, 2, /**/ 9, 0, 0, /**/ 9, 0, 0, /**/ 9, 0, 0}));
  const Json json = Json::parse(test.json(1, 70, {"a", "b", "c"}));
  EXPECT_EQ(json["net"], 1);
  EXPECT_EQ(json["iteration"], 70);
  EXPECT_EQ(json["classes"], Json::parse(R"(["a","b","c"])"));
  EXPECT_EQ(json["confusion"], Json::parse("[[1,0,0],[0,1,1],[1,0,1]]"));
  // The surest first; the probability is of what was predicted.
  ASSERT_EQ(json["worst"].size(), 2u);
  EXPECT_EQ(json["worst"][0]["sample"], "3");
  EXPECT_EQ(json["worst"][0]["label"], 2);
  EXPECT_EQ(json["worst"][0]["predicted"], 0);
  EXPECT_NEAR(json["worst"][0]["probability"], std::exp(4) / (std::exp(4) + 2), 1e-6);
  EXPECT_EQ(json["worst"][1]["sample"], "4");
  EXPECT_FALSE(json["worst"][0].contains("image"));
  EXPECT_NE(test.json(0, 1).find(R"("classes":["0","1","2"])"), std::string::npos);
  EXPECT_NE(error_of([&] { test.json(0, 1, {"a"}); }).find("3 classes got 1 names"),
            std::string::npos);
}

TEST(LastTest, TakesProbabilitiesAsTheyAre) {
  LastTest test;
  TestedBatch given = batch(0, {1}, {0.5f, 0.25f, 0.25f});
  given.probabilities = true;
  test.add(given);
  EXPECT_EQ(Json::parse(test.json(0, 0))["worst"][0]["probability"], 0.5);
}

TEST(LastTest, StartsAnewWithTheFirstSample) {
  LastTest test;
  for (int i = 0; i < 2; ++i) test.add(batch(0, {0}, {0, 1, 0}));
  const Json json = Json::parse(test.json(0, 0));
  EXPECT_EQ(json["confusion"], Json::parse("[[0,1,0],[0,0,0],[0,0,0]]"));
  EXPECT_EQ(json["worst"].size(), 1u);
}

TEST(LastTest, KeepsTheSurestAndAsksForNoPictureInVain) {
  LastTest test;
  int asked = 0;
  for (int i = 0; i < 100; ++i) {
    TestedBatch one = batch(i, {0}, {0, static_cast<float>(i < 50 ? i : 99 - i) / 10, 0});
    one.image = {1, 2, 2};
    one.images = [&] {
      ++asked;
      return std::vector<float>{0, 1, 2, 3};
    };
    test.add(one);
  }
  const Json worst = Json::parse(test.json(0, 0))["worst"];
  ASSERT_EQ(worst.size(), LastTest::kWorst);
  for (size_t i = 1; i < worst.size(); ++i)
    EXPECT_GE(worst[i - 1]["probability"], worst[i]["probability"]);
  EXPECT_EQ(worst[0]["sample"], "49");
  EXPECT_EQ(worst[1]["sample"], "50");
  EXPECT_TRUE(worst[0]["image"].get<std::string>().starts_with("data:image/png;base64,"));
  EXPECT_LT(asked, 80);  // what comes after is less sure than all that are kept
}

TEST(LastTest, RefusesWhatDoesNotFit) {
  LastTest test;
  EXPECT_NE(error_of([&] {
              test.add(batch(0, {0, 1}, {1, 2, 3}));
            }).find("not 2 samples x 3"),
            std::string::npos);
}

// As a training writes it and a report reads it.
TEST(LastTest, ObservesAnEvaluation) {
  const std::string folder = test_folder();
  std::string pixels, labels;
  for (int n = 0; n < 10; ++n) {
    pixels += std::string(16, static_cast<char>(20 * n));
    labels += static_cast<char>(n % 3);
  }
  write_file(folder + "images", idx({10, 4, 4}, pixels));
  write_file(folder + "labels", idx({10}, labels));
  const NetSpec spec =
      NetSpec::parse(text(R"(layer { name: "data" type: "Data" top: "x" top: "label"
                data_param { backend: IDX batch_size: 4 source: ")",
                          folder, R"(images" label_source: ")", folder, R"(labels" } }
              layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
                inner_product_param { num_output: 3 } }
              layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label"
                top: "accuracy" })"),
                     "net.prototxt");
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  NetOptions options;
  const TestBlobs blobs = test_blobs(spec, options).value();
  options.keep = blobs.names();
  Evaluator evaluator(spec, parameters, arena, options);
  parameters.write(*parameters.find("ip", "bias"), {0, 1, 0});  // all are taken for 1
  LastTest test;
  evaluator.run(0, {}, {}, [&](Net& net, int64_t first) { test.observe(net, blobs, first); });
  const std::string file = test.json(0, 5);
  const Json section = last_test_section(Json::parse(file), "last_test.json");
  EXPECT_EQ(section["confusion"], Json::parse("[[0,4,0],[0,3,0],[0,3,0]]"));
  EXPECT_EQ(section["worst"].size(), 7u);
  for (const Json& worst : section["worst"]) EXPECT_TRUE(worst.contains("image"));

  // And the other files that a training writes for the report.
  const Json network =
      network_section(Json::parse(network_json("digits", evaluator.net())), "network.json");
  EXPECT_EQ(network["batch"], 4);
  EXPECT_EQ(network["layers"][1]["name"], "ip");
  EXPECT_EQ(network["layers"][1]["outputs"], Json::parse("[[4,3]]"));
  EXPECT_EQ(network["layers"][1]["parameters"], 16 * 3 + 3);
  EXPECT_EQ(network["layers"][1]["macs"], 4 * 16 * 3);
}

TEST(Notes, ALineOfBranches) {
  EXPECT_EQ(branches_line(7, {{"conv1", {{"kxk", 1.5, 0.75}, {"1x1", 0.5, 0.25}}}, {"fc", {}}}),
            R"({"iteration":7,"layers":{"conv1":{"kxk":{"norm":1.5,"share":0.75},)"
            R"("1x1":{"norm":0.5,"share":0.25}},"fc":{}}})");
}

TEST(Png, IsWhatTheStandardSays) {
  const std::string png = png_of({3, 1, 2, {255, 0, 0, 0, 0, 255}});
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(png.substr(8, 8), std::string("\0\0\0\rIHDR", 8));
  EXPECT_EQ(png.substr(16, 13), std::string("\0\0\0\2\0\0\0\1\x8\x2\0\0\0", 13));
  const size_t data = png.find("IDAT") + 4;
  std::string rows(7, 'x');
  uLongf size = rows.size();
  const auto* packed = reinterpret_cast<const Bytef*>(png.data() + data);
  ASSERT_EQ(
      uncompress(reinterpret_cast<Bytef*>(rows.data()), &size, packed, png.size() - data - 16),
      Z_OK);
  EXPECT_EQ(rows, std::string("\0\xff\0\0\0\0\xff", 7));
  EXPECT_EQ(png.substr(png.size() - 12), std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
}

TEST(LastTest, ShowsBlueGreenRedAsItIs) {
  const auto image = [](bool bgr, const std::vector<float>& planes) {
    LastTest test;
    test.images_are_bgr(bgr);
    TestedBatch one = batch(0, {0}, {0, 1, 0});
    one.image = {3, 1, 2};
    one.images = [&] { return planes; };
    test.add(one);
    return Json::parse(test.json(0, 0))["worst"][0]["image"];
  };
  EXPECT_EQ(image(true, {0, 1, 2, 3, 4, 5}), image(false, {4, 5, 2, 3, 0, 1}));
  EXPECT_NE(image(true, {0, 1, 2, 3, 4, 5}), image(false, {0, 1, 2, 3, 4, 5}));
}

TEST(Png, PicturesAreStretchedAndShrunk) {
  const std::vector<float> values = {-1, 0, 1, 0.5f, 0, 0};
  EXPECT_EQ(picture_of(values.data(), 1, 2, 3, 9).bytes,
            (std::vector<uint8_t>{0, 128, 255, 191, 128, 128}));
  const Picture shrunk = picture_of(values.data(), 1, 2, 3, 2);
  EXPECT_EQ(shrunk.width, 2);
  EXPECT_EQ(shrunk.height, 1);
  EXPECT_EQ(shrunk.bytes, (std::vector<uint8_t>{112, 191}));  // -0.125 and 0.5 of -1 to 1
  const std::vector<float> flat(4, 3.0f);
  EXPECT_EQ(picture_of(flat.data(), 1, 2, 2, 9).bytes, std::vector<uint8_t>(4, 0));
  const std::vector<float> planes = {0, 1, 0.5f, 0.5f, 1, 0};  // C x 1 x 2
  EXPECT_EQ(picture_of(planes.data(), 3, 1, 2, 9).bytes,
            (std::vector<uint8_t>{0, 128, 255, 255, 128, 0}));
}

TEST(Png, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string("\xff\0\xfe", 3)), "/wD+");
}

}  // namespace
}  // namespace orepa::tool
