// ReadOnlyEnv: the file system as LevelDB sees it while a database is only read. What LevelDB
// writes when it opens one (a new manifest, tables of what stood in its log) stays in memory, it
// takes no lock, and after that it may write no more, so compactions end before they begin.
#pragma once
#include <leveldb/env.h>

#include <atomic>
#include <memory>

namespace orepa {

class ReadOnlyEnv : public leveldb::EnvWrapper {
 public:
  ReadOnlyEnv();
  ~ReadOnlyEnv() override;

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** file) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& path) override;
  leveldb::Status RemoveDir(const std::string& path) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;
  void Schedule(void (*work)(void*), void* argument) override;

 private:
  leveldb::Env* where(const std::string& path);

  std::unique_ptr<leveldb::Env> memory_;
  std::atomic<bool> is_open_ = false;
};

}  // namespace orepa
