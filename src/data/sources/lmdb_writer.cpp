#include "data/sources/lmdb_writer.h"

#include <lmdb.h>

#include "orepa/error.h"

namespace orepa {

struct LmdbWriter::State {
  std::string folder;
  MDB_env* environment = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi database = 0;

  ~State() {
    if (transaction != nullptr) mdb_txn_abort(transaction);
    if (environment != nullptr) mdb_env_close(environment);
  }
  void check(int code) const {
    require(code == MDB_SUCCESS, folder, ": cannot be written as an LMDB: ", mdb_strerror(code));
  }
  void begin() {
    check(mdb_txn_begin(environment, nullptr, 0, &transaction));
    check(mdb_dbi_open(transaction, nullptr, 0, &database));
  }
};

LmdbWriter::LmdbWriter(const std::string& folder) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.folder = folder;
  state.check(mdb_env_create(&state.environment));
  // Addresses, not bytes: the file is as large as what is in it.
  constexpr size_t kMostBytes = size_t{1} << 40;
  state.check(mdb_env_set_mapsize(state.environment, kMostBytes));
  state.check(mdb_env_open(state.environment, folder.c_str(), 0, 0664));
  state.begin();
}

LmdbWriter::~LmdbWriter() = default;

std::string LmdbWriter::last_key() const {
  MDB_cursor* cursor = nullptr;
  state_->check(mdb_cursor_open(state_->transaction, state_->database, &cursor));
  MDB_val key{}, value{};
  const int code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
  const std::string last =
      code == MDB_SUCCESS ? std::string(static_cast<const char*>(key.mv_data), key.mv_size) : "";
  mdb_cursor_close(cursor);
  if (code != MDB_NOTFOUND) state_->check(code);
  return last;
}

void LmdbWriter::add(const std::string& key, const std::string& value) {
  MDB_val k{key.size(), const_cast<char*>(key.data())};
  MDB_val v{value.size(), const_cast<char*>(value.data())};
  state_->check(mdb_put(state_->transaction, state_->database, &k, &v, MDB_APPEND));
}

void LmdbWriter::commit() {
  MDB_txn* transaction = state_->transaction;
  state_->transaction = nullptr;  // it is gone, whatever comes of it
  state_->check(mdb_txn_commit(transaction));
  state_->begin();
}

}  // namespace orepa
