#include "layers/arithmetic.h"
#include "layers/labels.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// The words of a batch in Caffe's order; -1 where there is none of that number.
struct ReadWords {
  Labels words;
  int32_t* word;
  OREPA_HD void operator()(int64_t m) const {
    word[m] = words.is_class(m) ? static_cast<int32_t>(words.truth(m)) : -1;
  }
};

// A row of the weight for each word; NaN where there is none, so that training stops.
struct Look {
  const int32_t* word;
  const float *weight, *bias;  // bias may be null
  int64_t columns;
  LogicalOrder order;
  float* y;
  OREPA_HD void operator()(int64_t m, int64_t j) const {
    const float value = word[m] < 0 ? NAN : weight[word[m] * columns + j];
    y[order.stored(m * columns + j)] = bias == nullptr ? value : value + bias[j];
  }
};

// Adds up the gradients of each word, in the order of the batch. Team r has every kWordSets-th
// word, and of their rows a part: nobody else adds there.
struct AddRows {
  static constexpr int64_t kWordSets = 16, kPart = 256;
  const int32_t* word;
  const float* dy;
  int64_t words, columns;
  LogicalOrder order;
  float* dweight;

  int64_t parts() const { return (columns + kPart - 1) / kPart; }
  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t set = r % kWordSets, begin = r / kWordSets * kPart;
    const int64_t past = begin + kPart < columns ? begin + kPart : columns;
    for (int64_t m = 0; m < words; ++m)
      if (word[m] >= 0 && word[m] % kWordSets == set)
        add(dweight + word[m] * columns, m * columns, begin + team.first(), past, team.step());
  }

 private:
  OREPA_HD void add(float* sum, int64_t row, int64_t begin, int64_t past, int64_t step) const {
    if (order.is_row_major()) {
#pragma omp simd
      for (int64_t j = begin; j < past; j += step) sum[j] += dy[row + j];
    } else {
      for (int64_t j = begin; j < past; j += step) sum[j] += dy[order.stored(row + j)];
    }
  }
};

struct InOrder {
  const float* dy;
  int64_t columns;
  LogicalOrder order;
  OREPA_HD float operator()(int64_t m, int64_t j) const {
    return dy[order.stored(m * columns + j)];
  }
};

// The top has the axes of the bottom and one of num_output behind them.
class Embed : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("embed_param");
    const Shape& x = setup.input(0);
    words_ = x.count();
    columns_ = options.integer("num_output");
    const int64_t known = options.integer("input_dim");
    setup.require(columns_ > 0, "num_output must be positive, got ", columns_);
    setup.require(known > 0, "input_dim must be positive, got ", known);
    labels_ = {nullptr, LabelOrder(), known, 0, false};
    labels_.order.labels = LogicalOrder(x);
    labels_.require_classes(setup, 0);
    weight_ = setup.parameter("weight", {known, columns_},
                              Filler::from(options, "weight_filler", Filler::constant(0)));
    if (options.flag("bias_term"))
      bias_ = setup.parameter("bias", {columns_},
                              Filler::from(options, "bias_filler", Filler::constant(0)));
    word_ = setup.saved(words_ * int64_t{sizeof(int32_t)});
    if (setup.backward() && bias_ >= 0)
      sums_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(words_, columns_));
    setup.no_input_gradient(0);
    std::vector<int64_t> extents = x.extents();
    extents.push_back(columns_);
    const Shape y(std::move(extents));
    order_ = LogicalOrder(y);
    return {y};
  }

  void forward(Pass& pass) override {
    Labels words = labels_;
    words.label = pass.input(0).floats();
    parallel_for(pass.device(), words_, ReadWords{words, word(pass)});
    parallel_rows(pass.device(), words_, columns_,
                  Look{word(pass), pass.parameter(weight_).floats(),
                       bias_ >= 0 ? pass.parameter(bias_).floats() : nullptr, columns_, order_,
                       pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    Device& device = pass.device();
    const float* dy = pass.output_gradient(0).floats();
    if (const Tensor dweight = pass.gradient(weight_)) {
      if (!pass.accumulates(weight_)) device.zero(dweight.data, dweight.bytes());
      const AddRows add{word(pass), dy, words_, columns_, order_, dweight.floats()};
      parallel_teams(device, add.parts() * AddRows::kWordSets, add);
    }
    if (bias_ >= 0)
      if (const Tensor dbias = pass.gradient(bias_))
        reduce_columns(device, words_, columns_, InOrder{dy, columns_, order_}, dbias.floats(),
                       pass.accumulates(bias_), pass.floats(sums_));
  }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    return labels_.bad_row(pass.device(), pass.input(0));
  }

 private:
  int32_t* word(Pass& pass) const { return static_cast<int32_t*>(pass.memory(word_)); }
  Labels labels_{};  // words are labels: whole numbers below input_dim
  LogicalOrder order_{Shape{}};
  int64_t words_ = 0, columns_ = 0;
  Handle weight_ = -1, bias_ = -1, word_ = -1, sums_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const std::string words = layer.before("Cast", layer.inputs, {{"to", kOnnxInt64}});
  const std::vector<std::string> look{layer.parameter("weight"), words};
  if (layer.options("embed_param").flag("bias_term"))
    layer.last("Add", {layer.before("Gather", look), layer.parameter("bias")});
  else
    layer.last("Gather", look);
}

OREPA_LAYER(Embed, "row x of a matrix for each number x, + bias").onnx(write_onnx);

}  // namespace
}  // namespace orepa
