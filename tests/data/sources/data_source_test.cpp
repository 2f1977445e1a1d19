#include "orepa/data_source.h"

#include <gtest/gtest.h>

#include "orepa/error.h"
#include "orepa/model_io.h"
#include "tests/data/sources/idx_files.h"
#include "tests/data/sources/samples.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

std::shared_ptr<const DataSource> open(const std::string& data_param, bool labels) {
  const NetSpec net =
      NetSpec::parse("layer { name: 'd' type: 'Data' data_param { " + data_param + " } }", "test");
  return open_data_source(net.layers()[0].message("data_param"), labels);
}

TEST(OpenDataSource, SharesWhatIsOpen) {
  const std::string folder = test_folder();
  write_file(folder + "t-images-idx3", idx({1, 1, 1}, "a"));
  write_file(folder + "t-labels-idx1", idx({1}, "\1"));
  const std::string path = folder + "t-images-idx3";
  const auto source = open("backend: IDX source: '" + path + "'", true);
  EXPECT_EQ(open("backend: IDX source: '" + folder + "./t-images-idx3'", true), source);
  EXPECT_EQ(open_data_source({path, "IDX"}, true), source);
  EXPECT_NE(open_data_source({path, "IDX"}, false), source);
  // Without labels it is another source, which has none.
  EXPECT_EQ(open_data_source({path, "IDX"}, false)->labels(), nullptr);
  EXPECT_EQ(source->labels()->most, 1);
}

TEST(OpenDataSource, OpensAnewWhatNobodyHasOpen) {
  const std::string folder = test_folder(), list = folder + "list";
  write_file(list, "a.jpg 1\n");
  EXPECT_EQ(open_data_source({list, "LIST"}, true)->size(), 1);
  write_file(list, "a.jpg 1\nb.jpg 2\n");
  EXPECT_EQ(open_data_source({list, "LIST"}, true)->size(), 2);
}

TEST(OpenDataSource, PutsTheRootFolderBeforePaths) {
  const std::string folder = test_folder();
  write_file(folder + "a.jpg", "content");
  write_file(folder + "list", "a.jpg 1\n");
  const auto source =
      open("backend: LIST source: '" + folder + "list' root_folder: '" + folder + "'", true);
  EXPECT_EQ(samples_of(*source, folder), (std::vector<std::string>{"a.jpg=content=1"}));
}

TEST(OpenDataSource, SaysWhatIsMissing) {
  EXPECT_NE(error_of([] { open("backend: LMDB", true); }).find("data_param.source is missing"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              open_data_source({"x", "SQL"}, true);
            }).find("no source of samples SQL"),
            std::string::npos);
  // Caffe's default.
  const std::string folder = test_folder();
  write_file(folder + "data.mdb", "");
  EXPECT_NE(error_of([&] { open("source: '" + folder + "'", true); }).find("`backend: LMDB`"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
