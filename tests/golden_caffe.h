// The cases that BVLC Caffe itself computed: tests/golden/caffe, whose README says what they hold.
#pragma once
#include <string>
#include <vector>

#include "orepa/tensor_file.h"
#include "tests/files.h"

namespace orepa {

inline const std::string kGoldenCaffe = source_file("tests/golden/caffe/");

// The folders of `kind`, which is layer, net or solver: KIND/CASE, in alphabetical order.
std::vector<std::string> golden_cases(const std::string& kind);

// The prototxt of a case, with running statistics averaged as Caffe does.
std::string golden_net(const std::string& name);

// Each within this share of the largest magnitude, and the rounding noise of the reference itself,
// which is stored with each array.
constexpr double kGoldenTolerance = 2e-5;
void expect_golden(const std::vector<float>& got, const TensorFileReader& golden,
                   const std::string& array, double tolerance = kGoldenTolerance,
                   double more_noise = 0);

// In iteration 10 of solver/sgd_momentum_l2 the two largest pixels of a max pool's window (image 1,
// map 3) differ by 3.9e-7, less than the weights' rounding by then: which of them takes the
// gradient differs between processors, and moves what is stored after it by up to 2.9e-4.
constexpr int64_t kGoldenTie = 10;
constexpr double kGoldenTieNoise = 3e-4;

}  // namespace orepa
