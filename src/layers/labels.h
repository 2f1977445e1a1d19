// Labels as the losses and metrics read them: one class a position, given as a float.
#pragma once
#include <optional>

#include "layers/axis.h"

namespace orepa {

struct Labels {
  const float* label;
  LabelOrder order;
  int64_t classes, ignored;
  bool ignores;

  OREPA_HD float given(int64_t i) const { return label[order.stored(i)]; }
  OREPA_HD int64_t truth(int64_t i) const { return static_cast<int64_t>(given(i)); }
  OREPA_HD bool is_class(int64_t i) const {
    return given(i) >= 0 && given(i) < static_cast<float>(classes);
  }
  OREPA_HD bool counts(int64_t i) const { return !ignores || truth(i) != ignored; }

  // Of scores whose classes lie along `axis`, and a tensor with one label a position. `param` is a
  // LossParameter or an AccuracyParameter.
  static Labels read(const Setup& setup, const Options& param, int axis) {
    Labels labels = read(setup, 1, setup.input(0), axis);
    labels.ignored = param.integer("ignore_label");
    labels.ignores = param.has("ignore_label");
    labels.require_classes(setup, 1);
    return labels;
  }
  // Those of bottom `input`, one a position of `scores`; none is ignored.
  static Labels read(const Setup& setup, int input, const Shape& scores, int axis) {
    const Shape& labels = setup.input(input);
    const AxisView view = AxisView::of(scores, axis);
    setup.require(labels.count() == view.positions(), "needs one label a prediction, ",
                  view.positions(), " for scores of ", scores.str(), "; got labels of ",
                  labels.str());
    return {nullptr, LabelOrder(scores, axis, labels), view.extent, 0, false};
  }
  // Those of bottom `input`, one a sample of `scores`, all of whose numbers are classes in Caffe's
  // order.
  static Labels of_samples(const Setup& setup, int input, const Shape& scores) {
    Labels labels = read(setup, input, {scores[0], scores.count() / scores[0]}, 1);
    labels.require_classes(setup, input);
    return labels;
  }
  // Throws Error where the source of the labels knows that some are no classes.
  void require_classes(const Setup& setup, int input) const {
    const LabelRange range = setup.labels(input);
    for (const int64_t label : {range.least, range.most})
      setup.require(!range.known() || may_be(label), "there are ", classes,
                    " classes, counted from 0, but the labels of the data run from ", range.least,
                    " to ", range.most, "; mend the labels or the number of scores (num_output)");
  }
  bool may_be(int64_t label) const {
    return (label >= 0 && label < classes) || (ignores && label == ignored);
  }

  // The first row of a batch with a label that counts and is no class; `tensor` holds the labels.
  std::optional<BadRow> bad_row(Device& device, const Tensor& tensor) const {
    const std::vector<float> values = read_tensor(device, tensor);
    Labels rows = *this;
    rows.label = values.data();
    rows.order = LabelOrder();  // read in the order of the rows
    const auto count = static_cast<int64_t>(values.size());
    const int64_t each = tensor.shape.rank() > 0 ? count / tensor.shape[0] : 1;
    for (int64_t i = 0; i < count; ++i)
      if (rows.counts(i) && !rows.is_class(i))
        return BadRow{i / each, text("its label ", values[i], " is no class; there are ", classes,
                                     ", counted from 0")};
    return std::nullopt;
  }
};

}  // namespace orepa
