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

// Where the same word stood before, and whether it stands behind: each word's places become a list.
struct Link {
  const int32_t* word;
  int32_t *before, *behind;
  OREPA_HD void operator()(int64_t m) const {
    int64_t at = m - 1;
    while (at >= 0 && word[at] != word[m]) --at;
    before[m] = static_cast<int32_t>(at);
    if (at >= 0) behind[at] = 1;
  }
};

// Whoever stands last adds up the gradients of its word, in an order that is always the same.
struct AddRows {
  const int32_t *word, *before, *behind;
  const float* dy;
  int64_t columns;
  LogicalOrder order;
  float* dweight;
  OREPA_HD void operator()(int64_t m, int64_t j) const {
    if (behind[m] != 0 || word[m] < 0) return;
    float sum = 0;
    for (int64_t at = m; at >= 0; at = before[at]) sum += dy[order.stored(at * columns + j)];
    dweight[word[m] * columns + j] += sum;
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
    const int64_t indices = words_ * int64_t{sizeof(int32_t)};
    word_ = setup.saved(indices);
    if (setup.backward()) {
      before_ = setup.scratch(Stage::kBackward, indices);
      behind_ = setup.scratch(Stage::kBackward, indices);
      if (bias_ >= 0)
        sums_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(words_, columns_));
    }
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
    parallel_for(pass.device(), words_, ReadWords{words, indices(pass, word_)});
    parallel_rows(pass.device(), words_, columns_,
                  Look{indices(pass, word_), pass.parameter(weight_).floats(),
                       bias_ >= 0 ? pass.parameter(bias_).floats() : nullptr, columns_, order_,
                       pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    Device& device = pass.device();
    const float* dy = pass.output_gradient(0).floats();
    if (const Tensor dweight = pass.gradient(weight_)) {
      int32_t *word = indices(pass, word_), *before = indices(pass, before_),
              *behind = indices(pass, behind_);
      if (!pass.accumulates(weight_)) device.zero(dweight.data, dweight.bytes());
      device.zero(behind, words_ * int64_t{sizeof(int32_t)});
      parallel_for(device, words_, Link{word, before, behind});
      parallel_rows(device, words_, columns_,
                    AddRows{word, before, behind, dy, columns_, order_, dweight.floats()});
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
  static int32_t* indices(Pass& pass, Handle handle) {
    return static_cast<int32_t*>(pass.memory(handle));
  }
  Labels labels_{};  // words are labels: whole numbers below input_dim
  LogicalOrder order_{Shape{}};
  int64_t words_ = 0, columns_ = 0;
  Handle weight_ = -1, bias_ = -1, word_ = -1, before_ = -1, behind_ = -1, sums_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  constexpr int64_t kInt64 = 7;  // TensorProto.DataType
  const std::string words = layer.before("Cast", layer.inputs, {{"to", kInt64}});
  const std::vector<std::string> look{layer.parameter("weight"), words};
  if (layer.options("embed_param").flag("bias_term"))
    layer.last("Add", {layer.before("Gather", look), layer.parameter("bias")});
  else
    layer.last("Gather", look);
}

OREPA_LAYER(Embed, "row x of a matrix for each number x, + bias").onnx(write_onnx);

}  // namespace
}  // namespace orepa
