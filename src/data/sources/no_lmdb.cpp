// In the place of lmdb.cpp where the library is not there.
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {

std::unique_ptr<DataSource> open_lmdb(const std::string& folder) {
  fail(folder,
       ": cannot be read: this program was built without LMDB; install liblmdb-dev and build "
       "it anew from an empty folder");
}

}  // namespace orepa
