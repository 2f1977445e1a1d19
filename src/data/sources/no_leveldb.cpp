// In the place of leveldb.cpp where the library is not there.
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {

std::string leveldb_version() { return ""; }

std::unique_ptr<DataSource> open_leveldb(const std::string& folder, const std::string&) {
  fail(folder,
       ": cannot be read: this program was built without LevelDB; install libleveldb-dev and "
       "build it anew from an empty folder");
}

}  // namespace orepa
