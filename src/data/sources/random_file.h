// RandomFile: a file that is read in pieces, from any number of threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa {

class RandomFile {
 public:
  // Throws Error where it is no regular file or cannot be read.
  explicit RandomFile(const std::string& path);
  RandomFile(RandomFile&& other) noexcept;
  RandomFile& operator=(RandomFile&&) = delete;
  ~RandomFile();

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  // Throws Error that names file and offset where there are not so many bytes.
  void read(int64_t offset, int64_t bytes, void* to) const;

 private:
  std::string path_;
  int file_ = -1;
  int64_t size_ = 0;
};

// The whole of a file. `bytes` grows and is used again.
void read_bytes(const std::string& path, std::vector<unsigned char>& bytes);

}  // namespace orepa
