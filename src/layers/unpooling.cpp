#include "layers/unpooling.h"

#include <cmath>

#include "orepa/parallel.h"

namespace orepa {
namespace {

// To which pixel of its plane of the top each number of the bottom goes, given as floats.
struct Places {
  int64_t height, width, to_height, to_width, channels;
  const float* mask;
  OREPA_HD bool is_place(int64_t i) const {
    return mask[i] >= 0 && mask[i] < static_cast<float>(to_height * to_width);
  }
  OREPA_HD int64_t place(int64_t i) const {
    return is_place(i) ? static_cast<int64_t>(mask[i]) : 0;
  }
};

// Row r is one of the bottom's pixels: of those places, the first and the last.
struct Reach {
  Places places;
  float* reach;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t begin = r * places.width * places.channels;
    float first = -INFINITY, last = -INFINITY;  // the first one as the largest negative
    for (int64_t i = team.first(); i < places.width * places.channels; i += team.step()) {
      const auto place = static_cast<float>(places.place(begin + i));
      first = -place > first ? -place : first;
      last = place > last ? place : last;
    }
    first = -team.max(first);
    last = team.max(last);
    if (team.first() != 0) return;
    reach[2 * r] = first;
    reach[2 * r + 1] = last;
  }
};

// Row r is one of the top's pixels: it looks for its numbers in the rows of the bottom that reach
// it, always in the same order. Of several for one pixel the last one stays, but for NaN.
struct Unpool {
  Places places;
  const float* reach;
  const float* x;
  float* y;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t channels = places.channels, width = places.width;
    const int64_t begin = r % places.to_height * places.to_width, past = begin + places.to_width;
    float* row = y + r * places.to_width * channels;
    for (int64_t i = 0; i < places.to_width; ++i)
      for (int64_t c = team.first(); c < channels; c += team.step()) row[i * channels + c] = 0;
    const int64_t image = r / places.to_height * places.height;
    for (int64_t from = image; from < image + places.height; ++from) {
      if (reach[2 * from] >= static_cast<float>(past)) continue;
      if (reach[2 * from + 1] < static_cast<float>(begin)) continue;
      for (int64_t i = from * width; i < (from + 1) * width; ++i)
        for (int64_t c = team.first(); c < channels; c += team.step()) {
          const int64_t number = i * channels + c, place = places.place(number);
          if (place < begin || place >= past) continue;
          float& to = row[(place - begin) * channels + c];
          const float value = places.is_place(number) ? x[number] : NAN;  // so that a run stops
          to = to != to ? to : value;
        }
    }
  }
};

// Row r is a pixel of the bottom.
struct UnpoolGradient {
  Places places;
  const float* dy;
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const int64_t i = r * places.channels + c, pixels = places.to_height * places.to_width;
    const int64_t image = r / (places.height * places.width);
    dx[i] = dy[(image * pixels + places.place(i)) * places.channels + c];
  }
};

class Unpooling : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape &x = setup.input(0), &mask = setup.input(1);
    setup.require(setup.inputs() == 2, "takes one bottom, or two, numbers and the mask of a MAX ",
                  "pooling; got ", setup.inputs());
    setup.require(x == mask, "bottom 1, a mask, must be as bottom 0, ", x.str(), ", got ",
                  mask.str());
    setup.no_input_gradient(1);
    setup.backward_reads_input(1);
    const Shape y{x[0], x[1], extent(setup, x[2], "h"), extent(setup, x[3], "w")};
    places_ = {x[2], x[3], y[2], y[3], x[1], nullptr};
    reach_ = setup.scratch(Stage::kForward, 2 * x[0] * x[2] * int64_t{sizeof(float)});
    return {y};
  }
  void forward(Pass& pass) override {
    const int64_t images = pass.output(0).shape[0];
    const Places places = places_of(pass);
    float* reach = pass.floats(reach_);
    parallel_teams(pass.device(), images * places.height, Reach{places, reach});
    parallel_teams(pass.device(), images * places.to_height,
                   Unpool{places, reach, pass.input(0).floats(), pass.output(0).floats()});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    parallel_rows(pass.device(), dx.count() / places_.channels, places_.channels,
                  UnpoolGradient{places_of(pass), pass.output_gradient(0).floats(), dx.floats()});
  }
  std::optional<BadRow> bad_row(Pass& pass) const override {
    const std::vector<float> mask = read_tensor(pass.device(), pass.input(1));
    Places places = places_;
    places.mask = mask.data();
    const auto count = static_cast<int64_t>(mask.size());
    for (int64_t i = 0; i < count; ++i)
      if (!places.is_place(i))
        return BadRow{i / (count / pass.input(1).shape[0]),
                      text("its mask has ", mask[static_cast<size_t>(i)], ", which is no pixel of ",
                           places.to_height, " x ", places.to_width)};
    return std::nullopt;
  }

 private:
  static int64_t extent(const Setup& setup, int64_t pixels, const std::string& axis) {
    const Options options = setup.options().message("upsample_param");
    setup.require(!options.has("scale") || !options.has("scale_" + axis),
                  "takes either scale, or scale_h and scale_w");
    const std::string scale = options.has("scale_" + axis) ? "scale_" + axis : "scale";
    const int64_t factor = options.has(scale) ? options.integer(scale) : 2;
    setup.require(factor > 0, scale, " must be positive, got ", factor);
    const int64_t made = options.has("upsample_" + axis)
                             ? options.integer("upsample_" + axis)
                             : pixels * factor - (options.flag("pad_out_" + axis) ? 1 : 0);
    setup.require(made > 0, "the top would have ", made, " pixels along ", axis);
    return made;
  }
  Places places_of(Pass& pass) const {
    Places places = places_;
    places.mask = pass.input(1).floats();
    return places;
  }

  Places places_{};
  Handle reach_ = -1;
};

}  // namespace

std::unique_ptr<Layer> make_unpooling() { return std::make_unique<Unpooling>(); }

// By plane. Of several numbers for one pixel, which ONNX leaves open, onnxruntime keeps the last.
void write_unpooling(const OnnxLayer& layer) {
  const Shape &x = layer.input_shapes[0], &y = layer.output_shape;
  const Shape from{x[0], x[1], x[2] * x[3]}, to{y[0], y[1], y[2] * y[3]};
  const std::string zeros = layer.before("ConstantOfShape", {layer.shape_constant(to)});
  const std::string places =
      layer.before("Cast", {layer.reshaped(layer.inputs[1], from)}, {{"to", kOnnxInt64}});
  layer.reshape(layer.before("ScatterElements",
                             {zeros, places, layer.reshaped(layer.inputs[0], from)},
                             {{"axis", int64_t{2}}}));
}

}  // namespace orepa
