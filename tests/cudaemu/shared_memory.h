// The shared memory of the block that runs.
#pragma once
#include <cstddef>
#include <vector>

namespace cudaemu {

class SharedMemory {
 public:
  SharedMemory();
  void start_block();  // all of it is poison, NaN in every type
  void* variable(const void* key, size_t bytes, size_t align, const char* name);
  void end_block();  // a violation where somebody wrote beyond a variable

 private:
  struct Variable {
    const void* key;
    size_t offset, bytes;
    const char* name;
  };
  std::vector<unsigned char> memory_;
  std::vector<Variable> variables_;
  size_t used_ = 0;
};

}  // namespace cudaemu
