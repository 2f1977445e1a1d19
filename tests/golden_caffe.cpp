#include "tests/golden_caffe.h"

#include <algorithm>
#include <filesystem>

#include "core/input_file.h"
#include "tests/comparison.h"

namespace orepa {

std::vector<std::string> golden_cases(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldenCaffe + kind))
    names.push_back(kind + "/" + entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string golden_net(const std::string& name) {
  std::string text = read_file(kGoldenCaffe + name + "/net.prototxt");
  const std::string caffe = " batch_norm_param { caffe_averaging: true ";
  const size_t param = text.find("batch_norm_param {"), type = text.find("type: \"BatchNorm\"");
  if (param != std::string::npos)
    text.replace(param, 18, caffe);
  else if (type != std::string::npos)
    text.insert(type, caffe + "} ");
  return text;
}

void expect_golden(const std::vector<float>& got, const TensorFileReader& golden,
                   const std::string& array, double tolerance, double more_noise) {
  const std::vector<float> wanted = golden.read(array);
  const double noise =
      golden.has_attribute(array, "dbl_maxdiff") ? golden.number(array, "dbl_maxdiff") : 0;
  EXPECT_LE(largest_difference(got, wanted), tolerance * largest(wanted) + noise + more_noise)
      << array;
}

}  // namespace orepa
