#include "data/sources/read_only_env.h"

#include <leveldb/helpers/memenv.h>
#include <leveldb/status.h>

namespace orepa {

using leveldb::Status;

ReadOnlyEnv::ReadOnlyEnv()
    : EnvWrapper(leveldb::Env::Default()), memory_(leveldb::NewMemEnv(leveldb::Env::Default())) {}

ReadOnlyEnv::~ReadOnlyEnv() = default;

leveldb::Env* ReadOnlyEnv::where(const std::string& path) {
  return memory_->FileExists(path) ? memory_.get() : target();
}

Status ReadOnlyEnv::NewSequentialFile(const std::string& path, leveldb::SequentialFile** file) {
  return where(path)->NewSequentialFile(path, file);
}

Status ReadOnlyEnv::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** file) {
  return where(path)->NewRandomAccessFile(path, file);
}

Status ReadOnlyEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  if (!is_open_) return memory_->NewWritableFile(path, file);
  *file = nullptr;
  return Status::IOError(path, "is only read");
}

Status ReadOnlyEnv::NewAppendableFile(const std::string& path, leveldb::WritableFile** file) {
  return NewWritableFile(path, file);
}

bool ReadOnlyEnv::FileExists(const std::string& path) { return where(path)->FileExists(path); }

Status ReadOnlyEnv::GetFileSize(const std::string& path, uint64_t* size) {
  return where(path)->GetFileSize(path, size);
}

Status ReadOnlyEnv::RemoveFile(const std::string& path) {
  return memory_->FileExists(path) ? memory_->RemoveFile(path) : Status::OK();
}

Status ReadOnlyEnv::CreateDir(const std::string&) { return Status::OK(); }
Status ReadOnlyEnv::RemoveDir(const std::string&) { return Status::OK(); }

Status ReadOnlyEnv::RenameFile(const std::string& from, const std::string& to) {
  return memory_->RenameFile(from, to);
}

Status ReadOnlyEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  return memory_->LockFile(path, lock);
}

Status ReadOnlyEnv::UnlockFile(leveldb::FileLock* lock) { return memory_->UnlockFile(lock); }

Status ReadOnlyEnv::NewLogger(const std::string& path, leveldb::Logger** logger) {
  return memory_->NewLogger(path, logger);
}

// The first compaction is scheduled when the database has been opened.
void ReadOnlyEnv::Schedule(void (*work)(void*), void* argument) {
  is_open_ = true;
  target()->Schedule(work, argument);
}

}  // namespace orepa
