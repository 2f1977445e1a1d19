#include "orepa/published.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "io/published/published_tensors.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"

namespace orepa {
namespace {

// torch.save() writes a zip archive, before PyTorch 1.6 a pickle of protocol 2.
void require_no_pickle(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  char start[2] = {};
  in.read(start, 2);
  const bool pickle = (start[0] == 'P' && start[1] == 'K') || start[0] == '\x80';
  require(!pickle, path,
          ": is a file of PyTorch's, not HDF5; make one of it with tools/torch_to_h5.py ", path,
          " state.h5");
}

// Whether two floats are one number, but for the rounding of another way to compute it.
bool nearly_equal(float a, float b) { return std::fabs(a - b) <= 1e-6f; }

class Import {
 public:
  Import(const std::string& path, const NetSpec& net, const Parameters& parameters)
      : path_(path), net_(net), file_(path), tensors_(published_tensors(net, parameters)) {
    for (const std::string& array : file_.names()) {
      std::string name = array.substr(1);
      std::replace(name.begin(), name.end(), '/', '.');
      std::replace(name.begin(), name.end(), '+', '.');
      require(arrays_.emplace(name, array).second, path, ": has tensor ", name, " twice");
    }
  }

  void run(Parameters& parameters) {
    std::map<Parameter*, std::vector<float>> values;
    for (const PublishedTensor& tensor : tensors_) {
      const std::vector<float> numbers =
          tensor.name.empty() ? tensor.constant : read(tensor, name_in_file(tensor));
      if (numbers.empty()) continue;
      for (size_t i = 0; i < tensor.parts.size(); ++i)
        if (tensor.parts[i] != nullptr) values[tensor.parts[i]] = tensor.part(i, numbers);
    }
    for (const auto& [name, array] : arrays_)
      if (!used_.contains(name)) unused_.push_back(name);
    report();
    for (const auto& [parameter, numbers] : values) parameters.write(*parameter, numbers);
  }

 private:
  // Empty where the file has no such tensor.
  std::string name_in_file(const PublishedTensor& tensor) {
    std::vector<std::string> names = tensor.other_names;
    names.insert(names.begin(), tensor.name);
    for (const std::string& name : names)
      if (arrays_.contains(name)) {
        used_.insert(name);
        return name;
      }
    if (!tensor.parts.empty()) missing_.push_back(tensor.name);
    return "";
  }

  // Empty where there is nothing to take; `name` may be, too.
  std::vector<float> read(const PublishedTensor& tensor, const std::string& name) {
    if (name.empty() || tensor.is_count) return {};
    const Shape shape = file_.shape(arrays_.at(name));
    if (shape.squeezed() != tensor.shape.squeezed()) {
      misshapen_.push_back(
          text(name, ": ", shape.str(), " in the file, ", tensor.shape.str(), " wanted"));
      return {};
    }
    std::vector<float> numbers = file_.read(arrays_.at(name));
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (tensor.parts.empty())
        require(nearly_equal(numbers[i], tensor.constant[i]), path_, ": ", name,
                " is a constant, whose number ", i, " is ", tensor.constant[i], " here, but ",
                numbers[i], " in the file; the imported net would compute something else");
      else if (tensor.parts[i / (numbers.size() / tensor.parts.size())] != nullptr)
        require(std::isfinite(numbers[i]), path_, ": ", name, ": number ", i, " is ", numbers[i],
                "; the training that wrote it had diverged");
    }
    return numbers;
  }

  void report() const {
    if (missing_.empty() && unused_.empty() && misshapen_.empty()) return;
    fail(path_, ": does not fit ", net_.name(), ": ", missing_.size(), " tensors are missing, ",
         unused_.size(), " unused, ", misshapen_.size(), " misshapen\n",
         listed("missing", missing_, "unused", unused_),
         listed("unused", unused_, "missing", missing_), listed("misshapen", misshapen_, "", {}));
  }

  // The first of `entries`, each with the nearest of `others`.
  static std::string listed(const std::string& what, const std::vector<std::string>& entries,
                            const std::string& other, const std::vector<std::string>& others) {
    constexpr size_t kShown = 20;
    std::string lines;
    for (size_t i = 0; i < std::min(entries.size(), kShown); ++i) {
      const std::string nearest = nearest_name(entries[i], others);
      lines += "  " + what + "  " + entries[i] +
               (nearest.empty() ? "" : "  (the nearest that is " + other + ": " + nearest + ")") +
               "\n";
    }
    if (entries.size() > kShown)
      lines += text("  ... and ", entries.size() - kShown, " more ", what, "\n");
    return lines;
  }

  const std::string& path_;
  const NetSpec& net_;
  TensorFileReader file_;
  std::vector<PublishedTensor> tensors_;
  std::map<std::string, std::string> arrays_;  // in the file, by the tensor's name
  std::set<std::string> used_;
  std::vector<std::string> missing_, unused_, misshapen_;
};

}  // namespace

void import_published(const std::string& path, const NetSpec& net, Parameters& parameters) {
  require_no_pickle(path);
  Import(path, net, parameters).run(parameters);
}

void export_published(const std::string& path, const NetSpec& net, const Parameters& parameters,
                      const NetSpec* trained) {
  TensorFileWriter file;
  for (const PublishedTensor& tensor : published_tensors(net, parameters, trained))
    if (tensor.is_count)
      file.write_integer(tensor.name, 0);
    else if (!tensor.name.empty())
      file.write(tensor.name, tensor.shape, tensor.numbers(parameters));
  file.save(path);
}

}  // namespace orepa
