// GradientSums: the gradients of a step over all ranks, added up while the backward pass goes on.
//
// Gradients lie in the order in which layers are declared, and the backward pass comes from the
// other end: what it has written since the last sum is one piece of memory, mostly. What goes over
// the wire is dW of derived weights, never their factors': as much as a plain network sends.
#pragma once
#include <cstdint>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/params.h"

namespace orepa {

class GradientSums {
 public:
  static constexpr int64_t kBucketBytes = 4 << 20;  // a sum is of so much, where there is so much

  // Both must outlive it. `narrow`: gradients are sent and added up in bfloat16.
  GradientSums(Communicator& ranks, const Parameters& parameters, bool narrow);

  // These have been written (Net::Written).
  void add(const std::vector<Parameter*>& parameters);
  // Waits for all of them, and for the loss, which is added up with them.
  void finish(double* loss);

  int64_t bytes() const { return narrow_.bytes(); }  // of device memory

 private:
  struct Bucket {
    float* numbers;
    int64_t count;
    void* narrow;  // the same in bfloat16
  };
  void send();

  Communicator& ranks_;
  Device& device_;
  char *first_ = nullptr, *end_ = nullptr;  // what has not been sent
  std::vector<Bucket> sent_;                // of this step, where they are sent in bfloat16
  DeviceMemory narrow_;                     // room for all of them
  int64_t filled_ = 0;                      // bytes of it
};

}  // namespace orepa
