#include "io/drafts.h"

#include <gtest/gtest.h>

#include "tests/error_of.h"

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

}  // namespace
}  // namespace orepa
