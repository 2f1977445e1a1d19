// In the place of lmdb.cpp and lmdb_writer.cpp where the library is not there.
#include "data/sources/lmdb_writer.h"
#include "data/sources/sources.h"
#include "orepa/error.h"

namespace orepa {

namespace {

[[noreturn]] void refuse(const std::string& folder) {
  fail(folder,
       ": this program was built without LMDB; install liblmdb-dev and build it anew from an "
       "empty folder");
}

}  // namespace

std::string lmdb_version() { return ""; }

std::unique_ptr<DataSource> open_lmdb(const std::string& folder) { refuse(folder); }

struct LmdbWriter::State {};
LmdbWriter::LmdbWriter(const std::string& folder) { refuse(folder); }
LmdbWriter::~LmdbWriter() = default;
std::string LmdbWriter::last_key() const { return ""; }
void LmdbWriter::add(const std::string&, const std::string&) {}
void LmdbWriter::commit() {}

}  // namespace orepa
