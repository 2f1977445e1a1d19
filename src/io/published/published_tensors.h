// The one description of how the published PyTorch code names and orders what a net's parameters
// hold: import, export and the tests against golden files all go by it.
#pragma once
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

// One tensor of a state_dict: the numbers of `parts` one after another, or a constant. Without a
// name, numbers of the one part that no state_dict has, since they are always `constant`.
struct PublishedTensor {
  std::string name;                      // "stage1.0.conv1.vector"
  std::vector<std::string> other_names;  // under which a file may have it instead
  Shape shape;
  // A null part stands for numbers that the published code has, but never reads; written as 0.
  std::vector<Parameter*> parts;
  int64_t groups = 1;           // where above 1, the row c Og + j of the part is row j G + c here
  std::vector<float> constant;  // where there are no parts, or there is no name
  bool is_count = false;        // num_batches_tracked: one int64 on which nothing here depends

  static PublishedTensor of(const std::string& name, Parameter* parameter);
  static PublishedTensor of_constant(const std::string& name, const Shape& shape,
                                     std::vector<float> values);
  // The values for parts[index] among `numbers`, the whole tensor's.
  std::vector<float> part(size_t index, const std::vector<float>& numbers) const;
  // The whole tensor, shape.count() numbers.
  std::vector<float> numbers(const Parameters& parameters) const;
};

// In the order of the net's layers. `trained` as for export_published(). Throws Error where a layer
// with parameters is no published module.
std::vector<PublishedTensor> published_tensors(const NetSpec& net, const Parameters& parameters,
                                               const NetSpec* trained = nullptr);

}  // namespace orepa
