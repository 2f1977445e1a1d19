#include <cmath>

#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Which samples of the bottom the top has, given as floats.
struct Indices {
  const float* index;
  int64_t samples;
  OREPA_HD bool is_sample(int64_t i) const {
    return index[i] >= 0 && index[i] < static_cast<float>(samples);
  }
  OREPA_HD int64_t sample(int64_t i) const { return static_cast<int64_t>(index[i]); }
};

// Row r is a piece of a sample of y.
struct TakeSamples {
  static constexpr int64_t kPiece = 4096;
  Indices indices;
  int64_t each;  // numbers of a sample
  const float* x;
  float* y;
  OREPA_HD int64_t pieces() const { return (each + kPiece - 1) / kPiece; }

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t i = r / pieces(), begin = r % pieces() * kPiece;
    const int64_t past = begin + kPiece < each ? begin + kPiece : each;
    const bool is_sample = indices.is_sample(i);
    const float* from = x + (is_sample ? indices.sample(i) * each : 0);
    float* to = y + i * each;
#pragma omp simd
    for (int64_t j = begin + team.first(); j < past; j += team.step())
      to[j] = is_sample ? from[j] : NAN;  // so that a run stops
  }
};

struct SumOfCopies {
  Indices indices;
  int64_t each, copies;
  const float* dy;
  float* dx;
  OREPA_HD int64_t terms(int64_t) const { return copies; }
  OREPA_HD float term(int64_t n, int64_t i, int64_t j) const {
    return indices.is_sample(i) && indices.sample(i) == n ? dy[i * each + j] : 0.0f;
  }
  OREPA_HD void result(int64_t n, int64_t j, float sum) const { dx[n * each + j] = sum; }
};

class BatchReindex : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(setup.inputs() == 2, "takes two bottoms, samples and which of them to take; got ",
                  setup.inputs());
    const Shape& indices = setup.input(1);
    setup.require(x.rank() >= 1, "bottom 0 must have samples on axis 0, got ", x.str());
    setup.require(indices.rank() == 1, "bottom 1 must have one axis, got ", indices.str());
    setup.no_input_gradient(1);
    setup.backward_reads_input(1);
    std::vector<int64_t> extents = x.extents();
    extents[0] = indices[0];
    return {Shape(std::move(extents))};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0), y = pass.output(0);
    const int64_t each = x.count() / x.shape[0];
    const TakeSamples take{indices(pass, x.shape), each, x.floats(), y.floats()};
    parallel_teams(pass.device(), y.shape[0] * take.pieces(), take);
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0), dy = pass.output_gradient(0);
    const int64_t samples = dx.shape[0], each = dx.count() / samples;
    contract_rows(
        pass.device(), samples, each,
        SumOfCopies{indices(pass, dx.shape), each, dy.shape[0], dy.floats(), dx.floats()});
  }
  std::optional<BadRow> bad_row(Pass& pass) const override {
    const std::vector<float> values = read_tensor(pass.device(), pass.input(1));
    const Indices indices{values.data(), pass.input(0).shape[0]};
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
      if (!indices.is_sample(i))
        return BadRow{i, text("its index ", values[i], " is no sample; there are ", indices.samples,
                              ", counted from 0")};
    return std::nullopt;
  }

 private:
  static Indices indices(Pass& pass, const Shape& x) { return {pass.input(1).floats(), x[0]}; }
};

void write_onnx(const OnnxLayer& layer) {
  const std::string indices = layer.before("Cast", {layer.inputs[1]}, {{"to", kOnnxInt64}});
  layer.last("Gather", {layer.inputs[0], indices}, {{"axis", int64_t{0}}});
}

OREPA_LAYER(BatchReindex, "the samples of bottom 0 that bottom 1 names, in its order")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
