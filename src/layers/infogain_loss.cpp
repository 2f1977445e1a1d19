#include "core/input_file.h"
#include "data/blob_file.h"
#include "layers/cross_entropy.h"
#include "layers/labels.h"

namespace orepa {
namespace {

// Class k weighs H[label, k].
struct Target {
  AxisView view;
  Labels labels;
  const float* gain;  // H
  LogicalOrder gain_order;
  float least = 1e-20f;

  OREPA_HD bool counts(int64_t i) const { return labels.counts(i); }
  OREPA_HD bool is_sound(int64_t i) const { return labels.is_class(i); }
  OREPA_HD int64_t only(int64_t) const { return -1; }
  OREPA_HD float operator()(int64_t i, int64_t k) const {
    return gain[gain_order.stored(labels.truth(i) * view.extent + k)];
  }
  OREPA_HD float sum(int64_t i) const {
    float sum = 0;
    for (int64_t k = 0; k < view.extent; ++k) sum += (*this)(i, k);
    return sum;
  }
};

// H of a file, for so many classes.
std::vector<float> read_gain(const std::string& where, const std::string& path, int64_t classes) {
  const std::optional<BlobFile> blob = parse_blob_file(read_file(path));
  require(blob.has_value(), where, path, ": is no infogain matrix (.binaryproto, one BlobProto)");
  require(static_cast<int64_t>(blob->values.size()) == classes * classes, where, path, ": has ",
          blob->values.size(), " numbers, but ", classes, " classes need ", classes, " x ",
          classes);
  return blob->values;
}

// The matrix H is bottom 2, or in the file `source`.
class InfogainLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("infogain_loss_param"),
                  loss = setup.options().message("loss_param");
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    view_ = AxisView::of(x, axis);
    const int64_t classes = view_.extent;
    const std::string source = options.string("source");
    setup.require(setup.inputs() == (source.empty() ? 3 : 2),
                  "takes scores, labels and the infogain matrix: as a third bottom or in ",
                  "infogain_loss_param.source; got ", setup.inputs(), " bottoms and ",
                  source.empty() ? "no source" : "a source");
    labels_ = Labels::read(setup, loss, axis);
    if (source.empty()) {
      const Shape& gain = setup.input(2);
      setup.require(gain.count() == classes * classes, "there are ", classes,
                    " classes, so that the infogain matrix must be ", classes, " x ", classes,
                    "; bottom 2 is ", gain.str());
      order_ = LogicalOrder(gain);
      setup.backward_reads_input(2);
      setup.no_input_gradient(2);
    } else {
      const std::string where = setup.spec().where("infogain_loss_param");
      gain_ = setup.constant({classes, classes}, [where, source, classes] {
        return read_gain(where, source, classes);
      });
    }
    loss_.declare(setup, view_, LossDivisor::mode(loss, "VALID"), x.count(0, axis),
                  labels_.ignores);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    return loss_.outputs(x);
  }

  void forward(Pass& pass) override { loss_.forward(pass, target(pass)); }
  void backward(Pass& pass) override { loss_.backward(pass, target(pass)); }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    return labels_.bad_row(pass.device(), pass.input(1));
  }

 private:
  Target target(Pass& pass) const {
    const float* gain = gain_ >= 0 ? pass.floats(gain_) : pass.input(2).floats();
    Target target{view_, labels_, gain, order_};
    target.labels.label = pass.input(1).floats();
    return target;
  }
  AxisView view_;
  Labels labels_{};
  LogicalOrder order_{Shape{}};  // of H
  Handle gain_ = -1;             // H of a file
  CrossEntropy<Target> loss_;
};

OREPA_LAYER(InfogainLoss, "cross entropy of softmax(scores) and a row of a matrix for each label");

}  // namespace
}  // namespace orepa
