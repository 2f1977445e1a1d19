// What a report reads, and how it says that a file is damaged.
#include "tools/report/run_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "orepa/error.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa::tool {
namespace {

using Points = std::vector<Point>;

class RunFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    write_file(folder_ + name, content);
  }
  std::string error() const {
    return error_of([&] { read_run(folder_); });
  }
  // `message` has to start with the file, and with the line where there is one.
  void expect_error(const std::string& place, const std::string& message) const {
    const std::string said = error();
    EXPECT_TRUE(said.starts_with(folder_ + place + ": ")) << said;
    EXPECT_NE(said.find(message), std::string::npos) << said;
  }

  const std::string folder_ = test_folder();
  const std::string line_ = R"({"iteration":1,"epoch":0.5,"loss":2,"rate":0.1})"
                            "\n";
};

TEST_F(RunFolder, HasCurvesOfTrainingAndTests) {
  write("train.jsonl",
        R"({"iteration":10,"epoch":0.5,"loss":2.5,"rate":0.1,"images":640,"seconds":2.0,)"
        R"("images_per_second":320,"data_wait":0.25,"time":"2026-11-30T12:00:00Z"})"
        "\n"
        R"({"iteration":20,"epoch":1,"loss":null,"rate":0.01,"images_per_second":330})"
        "\n");
  write("test.jsonl",
        R"({"iteration":20,"epoch":1,"net":0,"samples":9,"outputs":{"accuracy":0.5,"by":[1,2]}})"
        "\n"
        R"({"iteration":20,"epoch":1,"net":1,"samples":9,"outputs":{"accuracy":0.75}})"
        "\n");
  const TrainingRun run = read_run(folder_);
  EXPECT_EQ(run.name, "orepa_RunFolder_HasCurvesOfTrainingAndTests");
  ASSERT_EQ(run.training.size(), 4u);
  EXPECT_EQ(run.training[0].name, "loss");
  EXPECT_EQ(run.training[0].points, (Points{{10, 0.5, 2.5}}));
  EXPECT_EQ(run.training[1].points, (Points{{10, 0.5, 0.1}, {20, 1, 0.01}}));
  EXPECT_EQ(run.training[2].points, (Points{{10, 0.5, 320}, {20, 1, 330}}));
  EXPECT_EQ(run.training[3].name, "data_wait");
  ASSERT_EQ(run.tests.size(), 2u);
  EXPECT_EQ(run.tests[0].name, "accuracy");
  EXPECT_EQ(run.tests[0].points, (Points{{20, 1, 0.5}}));
  EXPECT_EQ(run.tests[1].name, "accuracy (test 1)");
  EXPECT_TRUE(run.network.is_null());
  EXPECT_TRUE(run.last_test.is_null());
  EXPECT_EQ(run.solver, "");
}

TEST_F(RunFolder, HasItsNameWithoutASlashAndUpAndDown) {
  write("train.jsonl", line_);
  std::filesystem::create_directory(folder_ + "sub");
  const std::string name = "orepa_RunFolder_HasItsNameWithoutASlashAndUpAndDown";
  for (const char* tail : {"", "/", "sub/..", "./"}) EXPECT_EQ(read_run(folder_ + tail).name, name);
}

TEST_F(RunFolder, LeavesOutALastLineThatIsBeingWritten) {
  for (const char* half : {"{\"iter", "{", "{\"iteration\":2,\"loss\":1", "tr", "\"\\u12"}) {
    write("train.jsonl", line_ + half);
    const TrainingRun run = read_run(folder_);
    ASSERT_FALSE(run.training.empty());
    EXPECT_EQ(run.training[0].points, (Points{{1, 0.5, 2}})) << half;
  }
  // It is whole; only its end of line is missing.
  write("train.jsonl", line_ + R"({"iteration":2,"epoch":1,"loss":1})");
  EXPECT_EQ(read_run(folder_).training[0].points.size(), 2u);
}

TEST_F(RunFolder, EveryOtherDamageIsAnErrorWithItsPlace) {
  write("train.jsonl", line_ + "{\"iter\n" + line_);
  expect_error("train.jsonl:2", "is no JSON");
  write("train.jsonl", line_ + "\n");
  expect_error("train.jsonl:2", "is no JSON");
  write("train.jsonl", line_ + "{\"iteration\":2,\"loss\":1e999}\n");
  expect_error("train.jsonl:2", "is no JSON");
  write("train.jsonl", "[1, 2]\n");
  expect_error("train.jsonl:1", "is no JSON object");
  write("train.jsonl", line_ + "{\"loss\": 1}\n");
  expect_error("train.jsonl:2", "has no \"iteration\"");
  write("train.jsonl", "{\"iteration\": 1.5, \"loss\": 1}\n");
  expect_error("train.jsonl:1", "\"iteration\" is no whole number: 1.5");
  write("train.jsonl", line_ + "{\"iteration\": 2, \"loss\": \"low\"}\n");
  expect_error("train.jsonl:2", "\"loss\" is no number: \"low\"");
  const std::string deep(1 << 20, '['), end(1 << 20, ']');
  write("train.jsonl", "{\"iteration\": 2, \"loss\": " + deep + end + "}\n");
  expect_error("train.jsonl:1", "\"loss\" is no number: array");
  write("train.jsonl", line_);
  write("test.jsonl", "{\"iteration\": 1, \"net\": 0}\n");
  expect_error("test.jsonl:1", "has no \"outputs\"");
  write("test.jsonl", "{\"iteration\": 1, \"net\": 0, \"outputs\": [1]}\n");
  expect_error("test.jsonl:1", "\"outputs\" is no object");
}

TEST_F(RunFolder, HasToBeOne) {
  EXPECT_NE(error().find("neither train.jsonl nor test.jsonl"), std::string::npos);
  EXPECT_NE(error_of([&] { read_run(folder_ + "absent"); }).find("no such folder"),
            std::string::npos);
}

TEST_F(RunFolder, HasTheBranchesOfEveryLayer) {
  write("test.jsonl", R"({"iteration":5,"epoch":2,"net":0,"outputs":{"accuracy":1}})"
                      "\n");
  write("branches.jsonl", R"({"iteration":0,"layers":{"conv1":{"kxk":{"norm":3,"share":0.75},)"
                          R"("1x1":{"norm":1,"share":0.25}},"conv2":{"kxk":{"norm":1,"share":1}}}})"
                          "\n"
                          R"({"iteration":5,"layers":{"conv1":{"kxk":{"norm":2,"share":1},)"
                          R"("1x1":{"norm":0,"share":0}}}})"
                          "\n");
  const TrainingRun run = read_run(folder_);
  ASSERT_EQ(run.branches.size(), 2u);
  EXPECT_EQ(run.branches[0].layer, "conv1");
  ASSERT_EQ(run.branches[0].norm.size(), 2u);
  EXPECT_EQ(run.branches[0].norm[0].name, "kxk");
  EXPECT_EQ(run.branches[0].norm[0].points, (Points{{0, 0, 3}, {5, 2, 2}}));
  EXPECT_EQ(run.branches[0].share[1].points, (Points{{0, 0, 0.25}, {5, 2, 0}}));
  write("branches.jsonl", R"({"iteration":0,"layers":{"conv1":{"kxk":{"norm":3}}}})"
                          "\n");
  expect_error("branches.jsonl:1", "has no \"share\"");
}

TEST_F(RunFolder, HasANetwork) {
  write("train.jsonl", line_);
  const std::string layer =
      R"({"name":"ip","type":"InnerProduct","outputs":[[2,10]],"parameters":7,)"
      R"("merged_parameters":5,"macs":)";
  write("network.json", "{\"name\":\"n\",\"batch\":2,\"layers\":[" + layer + "30}]}");
  EXPECT_EQ(read_run(folder_).network["layers"][0]["outputs"][0][1], 10);
  write("network.json", "{\"name\":\"n\",\"batch\":2,\"layers\":[" + layer + "30.5}]}");
  expect_error("network.json: layer 0", "\"macs\" is no whole number");
  write("network.json", "{\n\"name\": \"n\",\n\"batch\": }");
  expect_error("network.json:3", "is no JSON");
}

TEST_F(RunFolder, HasALastTest) {
  write("train.jsonl", line_);
  const auto file = [](const std::string& confusion, const std::string& worst) {
    return R"({"net":0,"iteration":9,"classes":["a","b","c"],"confusion":)" + confusion +
           R"(,"worst":[)" + worst + "]}";
  };
  const std::string matrix = "[[5,1,0],[4,6,0],[0,0,7]]";
  const auto worst = [](const std::string& label, const std::string& image) {
    return R"({"sample":"17","label":)" + label + R"(,"predicted":0,"probability":0.9,"image":")" +
           image + "\"}";
  };
  const std::string picture = "data:image/png;base64,AAAA";
  write("last_test.json", file(matrix, worst("1", picture)));
  const Json section = read_run(folder_).last_test;
  EXPECT_EQ(section["pairs"], Json::parse("[[1,0,4,10],[0,1,1,6]]"));
  EXPECT_EQ(section["confusion"], Json::parse(matrix));
  EXPECT_EQ(section["worst"][0]["image"], picture);

  write("last_test.json", file("[[5,1,0],[4,6,0]]", ""));
  expect_error("last_test.json", "it has 2 rows");
  write("last_test.json", file("[[5,1,0],[4,6],[0,0,7]]", ""));
  expect_error("last_test.json", "row 1 is something else");
  write("last_test.json", file("[[5,1,0],[4,6,0.5],[0,0,7]]", ""));
  expect_error("last_test.json", "row 1 is something else");
  write("last_test.json", file(matrix, worst("3", picture)));
  expect_error("last_test.json: worst 0", "\"label\" is 3, which is none of 3 classes");
  write("last_test.json", file(matrix, worst("1", "javascript:alert(1)")));
  expect_error("last_test.json: worst 0", "does not start with data:image/png;base64,");
}

// A page has no room for the matrix of many classes.
TEST_F(RunFolder, HasTheMostFrequentMistakesOfManyClasses) {
  write("train.jsonl", line_);
  Json file = {{"net", 0}, {"iteration", 1}, {"worst", Json::array()}};
  std::vector<std::vector<int64_t>> matrix(101, std::vector<int64_t>(101, 1));
  matrix[7][9] = 50;
  matrix[100][0] = 60;
  file["confusion"] = matrix;
  for (int c = 0; c < 101; ++c) file["classes"].push_back(std::to_string(c));
  write("last_test.json", written(file));
  const Json section = read_run(folder_).last_test;
  EXPECT_FALSE(section.contains("confusion"));
  EXPECT_EQ(section["pairs"].size(), 20u);
  EXPECT_EQ(section["pairs"][0], Json::parse("[100,0,60,160]"));
  EXPECT_EQ(section["pairs"][1], Json::parse("[7,9,50,150]"));
}

}  // namespace
}  // namespace orepa::tool
