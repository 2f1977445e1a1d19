#include "io/drafts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <set>
#include <thread>

#include "core/input_file.h"
#include "tests/error_of.h"
#include "tests/files.h"

namespace orepa {
namespace {

// Paths of files that do not exist, in the current folder: nothing of them can be looked up.
TEST(Drafts, KnowAFileByAnyPath) {
  Drafts drafts({"orepa_read.h5"});
  drafts.draft_of("orepa_written.h5");
  for (const char* path : {"orepa_written.h5", "./orepa_written.h5", "tests/../orepa_written.h5"})
    EXPECT_NE(error_of([&] { drafts.draft_of(path); }).find("is the name of two outputs"),
              std::string::npos)
        << path;
  EXPECT_NE(error_of([&] { drafts.draft_of("./orepa_read.h5"); }).find("is read and would be"),
            std::string::npos);
}

// A pair that stands as "old" and shall become "new".
class DraftsOfAPair : public testing::Test {
 protected:
  DraftsOfAPair() : drafts_(std::in_place, std::vector<std::string>{}) {
    for (const std::string& path : paths_) {
      write_file(path, "old");
      write_file(drafts_->draft_of(path), "new");
    }
  }
  void expect_everywhere(const std::string& content) const {
    for (const std::string& path : paths_) EXPECT_EQ(read_file(path), content) << path;
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
  }

  const std::string folder_ = test_folder();
  const std::string paths_[2] = {folder_ + "net", folder_ + "weights"};
  std::optional<Drafts> drafts_;
};

TEST_F(DraftsOfAPair, BothOrNoneGetTheirNames) {
  drafts_->accept();
  drafts_.reset();
  expect_everywhere("new");
}

// One was taken away meanwhile.
TEST_F(DraftsOfAPair, NeitherIsReplacedWhereADraftIsGone) {
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    if (entry.path().string().ends_with("1.weights")) std::filesystem::remove(entry.path());
  const std::string message = error_of([&] { drafts_->accept(); });
  EXPECT_NE(message.find(paths_[1] + ": cannot be written"), std::string::npos) << message;
  drafts_.reset();
  expect_everywhere("old");
}

TEST_F(DraftsOfAPair, NeitherIsReplacedWhereAFolderTookAName) {
  std::filesystem::remove(paths_[1]);
  std::filesystem::create_directories(paths_[1] + "/inside");
  EXPECT_NE(error_of([&] { drafts_->accept(); }).find("is a folder"), std::string::npos);
  drafts_.reset();
  EXPECT_EQ(read_file(paths_[0]), "old");
  EXPECT_TRUE(std::filesystem::exists(paths_[1] + "/inside"));
}

TEST_F(DraftsOfAPair, NeitherIsReplacedWhereOneIsImmutable) {
  const int file = open(paths_[1].c_str(), O_RDONLY);
  int flags = 0;
  ASSERT_EQ(ioctl(file, FS_IOC_GETFLAGS, &flags), 0);
  const auto set = [&](int value) { return ioctl(file, FS_IOC_SETFLAGS, &value); };
  if (set(flags | FS_IMMUTABLE_FL) != 0) GTEST_SKIP() << "only root may make a file immutable";
  const std::string message = error_of([&] { drafts_->accept(); });
  EXPECT_EQ(set(flags), 0);
  close(file);
  EXPECT_NE(message.find(paths_[1]), std::string::npos) << message;
  drafts_.reset();
  expect_everywhere("old");
}

// Whenever the process is killed: after every single change of the folder.
TEST_F(DraftsOfAPair, OldAndNewNeverStandSideBySide) {
  const int watch = inotify_init1(IN_NONBLOCK);
  ASSERT_GE(inotify_add_watch(watch, folder_.c_str(), IN_MOVE | IN_CREATE | IN_DELETE), 0);
  drafts_->accept();
  std::map<std::string, std::string> stands = {{"net", "old"}, {"weights", "old"}};
  char events[4096];
  const ssize_t bytes = read(watch, events, sizeof(events));
  int changes = 0;
  for (ssize_t at = 0; at < bytes; ++changes) {
    const auto* event = reinterpret_cast<const inotify_event*>(events + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    if (!stands.contains(event->name)) continue;
    ASSERT_TRUE((event->mask & IN_MOVE) != 0) << event->mask;
    stands[event->name] = (event->mask & IN_MOVED_FROM) != 0 ? "" : "new";
    EXPECT_TRUE(stands["net"] == stands["weights"] || stands["net"].empty() ||
                stands["weights"].empty())
        << "net is " << stands["net"] << ", weights are " << stands["weights"];
  }
  EXPECT_GE(changes, 8);  // two names, from and to, old and new
  EXPECT_EQ(stands["net"], "new");
  EXPECT_EQ(stands["weights"], "new");
  close(watch);
}

TEST(Drafts, GoIntoAStreamInTheEnd) {
  const std::string folder = test_folder(), fifo = folder + "fifo.h5";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  std::string arrived;
  std::thread reader([&] { arrived = read_all(fifo); });
  {
    Drafts drafts({});
    const std::string draft = drafts.draft_of(fifo);
    EXPECT_TRUE(draft.ends_with("fifo.h5")) << draft;
    write_file(draft, "all of it");
    drafts.accept();
  }
  reader.join();
  EXPECT_EQ(arrived, "all of it");
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
}

TEST(Drafts, LeftoversOfTheKilledAreRemovedAndNothingElse) {
  const std::string folder = test_folder();
  for (const std::string& mark : {process_mark(), std::string("12-00c0ffee0badf00d")}) {
    const std::string model = "run_iter_5.caffemodel",
                      draft = text("unchecked.", mark, ".0.", model);
    for (const std::string& name :
         {draft, temporary_name(draft), text("replaced.", mark, ".", model),
          text(model, ".", mark, ".tmp"), temporary_name(model)})
      write_file(folder + name, "half");
  }
  const std::set<std::string> others = {"run_iter_5.caffemodel",
                                        "run_iter_5.tmp",
                                        "unchecked.run_iter_5.caffemodel",
                                        "unchecked.12-00c0ffee0badf00d.0.run2_iter_5.caffemodel",
                                        "replaced.12-00c0ffee0badf00d.other",
                                        "run2_iter_5.caffemodel.12-00c0ffee0badf00d.tmp"};
  for (const std::string& name : others) write_file(folder + name, "whole");
  remove_leftovers(folder + "run_iter_");
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    left.insert(entry.path().filename().string());
  EXPECT_EQ(left, others);
  remove_leftovers(folder + "no_such_folder/run_iter_");
}

}  // namespace
}  // namespace orepa
