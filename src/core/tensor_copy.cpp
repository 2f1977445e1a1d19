#include "core/tensor_copy.h"

#include <utility>

namespace orepa {
namespace {

int64_t bytes_of(const std::vector<Tensor>& tensors) {
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.bytes();
  return bytes;
}

}  // namespace

TensorCopy::TensorCopy(Device& device, std::vector<Tensor> tensors)
    : device_(device), tensors_(std::move(tensors)), memory_(device, bytes_of(tensors_)) {}

// Calls visit(tensor, its copy).
template <class Visit>
void TensorCopy::for_each(Visit visit) {
  char* copy = static_cast<char*>(memory_.data());
  for (const Tensor& tensor : tensors_) {
    visit(tensor, copy);
    copy += tensor.bytes();
  }
}

void TensorCopy::save() {
  for_each(
      [&](const Tensor& tensor, char* copy) { device_.copy(copy, tensor.data, tensor.bytes()); });
}

void TensorCopy::restore() {
  for_each(
      [&](const Tensor& tensor, char* copy) { device_.copy(tensor.data, copy, tensor.bytes()); });
}

}  // namespace orepa
