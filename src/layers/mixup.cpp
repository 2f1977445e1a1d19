#include "layers/labels.h"

namespace orepa {
namespace {

// How a pass mixes each image with its partner, drawn on the device.
struct Blend {
  float own;                         // what stays of an image outside of the box, and of its label:
  float own_label;                   // the rest is the partner's
  int32_t top, bottom, left, right;  // the box that is the partner's; may be empty

  OREPA_HD bool cut(int64_t y, int64_t x) const {
    return y >= top && y < bottom && x >= left && x < right;
  }
};

// From Beta(alpha, alpha): X / (X + Y) of X = U^(1/alpha), Y = V^(1/alpha) where X + Y <= 1
// (Joehnk, Metrika 8, 1964), by logarithms, since X and Y may be too small for floats. Takes
// numbers from `first` on; with an alpha of 4 or less the first thousand pairs do but for one case
// in a million.
OREPA_HD inline float draw_beta(const Random& random, uint64_t first, float alpha) {
  for (uint64_t i = first; i < first + 2000; i += 2) {
    const float x = logf(random.uniform(i) + 0x1p-25f) / alpha;
    const float y = logf(random.uniform(i + 1) + 0x1p-25f) / alpha;
    if (expf(x) + expf(y) <= 1) return 1 / (1 + expf(y - x));
  }
  return 0.5f;
}

struct DrawBlend {
  Random::Purpose purpose;
  float mixup_alpha, cutmix_alpha, cutmix_probability;
  int32_t height, width;
  Blend* blend;

  OREPA_HD void operator()(int64_t, uint64_t step) const {
    const Random random = purpose.at(step);
    Blend drawn{1, 1, 0, 0, 0, 0};
    if (random.uniform(0) >= cutmix_probability) {
      drawn.own = drawn.own_label = draw_beta(random, 4, mixup_alpha);
    } else {
      const float side = sqrtf(1 - draw_beta(random, 4, cutmix_alpha));
      const auto range = [&](uint64_t draw, int32_t length, int32_t& begin, int32_t& end) {
        const auto half = static_cast<int32_t>(side * static_cast<float>(length) / 2);
        const auto middle = static_cast<int32_t>(random.below(draw, static_cast<uint64_t>(length)));
        begin = middle - half > 0 ? middle - half : 0;
        end = middle + half < length ? middle + half : length;
      };
      range(1, height, drawn.top, drawn.bottom);
      range(2, width, drawn.left, drawn.right);
      const int32_t area = (drawn.bottom - drawn.top) * (drawn.right - drawn.left);
      drawn.own_label = 1 - static_cast<float>(area) / static_cast<float>(height * width);
    }
    *blend = drawn;
  }
};

// Neighbours mix: 2k and 2k + 1, so that several processes can have pairs of a batch each. The last
// one of an odd batch stays as it is.
OREPA_HD inline int64_t partner_of(int64_t n, int64_t images) {
  const int64_t neighbour = n ^ 1;
  return neighbour < images ? neighbour : n;
}

// Row n H + y, number x C + c of it.
struct MixImages {
  const float* x;
  const Blend* blend;
  int32_t images, height, channels;
  int64_t columns;
  float* y;

  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const auto row = static_cast<int32_t>(r), number = static_cast<int32_t>(j);
    const int32_t n = row / height, h = row % height;
    const int64_t partner = partner_of(n, images) * height + h;
    const float own = x[r * columns + j], other = x[partner * columns + j];
    y[r * columns + j] =
        blend->cut(h, number / channels) ? other : blend->own * own + (1 - blend->own) * other;
  }
};

struct MixLabels {
  Labels labels;
  const Blend* blend;  // null where nothing is mixed
  int64_t images;
  float* y;

  OREPA_HD float hit(int64_t n, int64_t k) const {
    if (!labels.is_class(n)) return NAN;  // so that training stops
    return labels.truth(n) == k ? 1.0f : 0.0f;
  }
  OREPA_HD void operator()(int64_t n, int64_t k) const {
    const float own = blend == nullptr ? 1.0f : blend->own_label;
    const float other = own == 1 ? 0.0f : (1 - own) * hit(partner_of(n, images), k);
    y[n * labels.classes + k] = own * hit(n, k) + other;
  }
};

// In phase TEST images stay as they are, and labels become certain ones.
class Mixup : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("mixup_param");
    setup.require(setup.inputs() == 2 && setup.outputs() == 2,
                  "takes two bottoms, images and labels, and makes two tops of them; got ",
                  setup.inputs(), " and ", setup.outputs());
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "mixes images, N x C x H x W; got ", x.str());
    const int64_t classes = options.integer("classes");
    setup.require(classes > 0, "needs mixup_param.classes: how many there are");
    mixup_alpha_ = alpha(setup, options, "mixup_alpha");
    cutmix_alpha_ = alpha(setup, options, "cutmix_alpha");
    setup.require(mixup_alpha_ > 0 || cutmix_alpha_ > 0,
                  "has both mixup_alpha and cutmix_alpha 0: leave it out instead");
    const double probability = options.number("cutmix_probability");
    setup.require(probability >= 0 && probability <= 1,
                  "cutmix_probability must lie in [0, 1], got ", probability);
    cutmix_probability_ = cutmix_alpha_ == 0  ? 0.0f
                          : mixup_alpha_ == 0 ? 1.0f
                                              : static_cast<float>(probability);
    const Shape distributions{x[0], classes};
    labels_ = Labels::read(setup, 1, distributions, 1);
    labels_.require_classes(setup, 1);
    mixes_ = setup.phase() == Phase::kTrain;
    if (mixes_) {
      require_pairs(setup);
      setup.draws_random();
      blend_ = setup.scratch(Stage::kForward, sizeof(Blend));
    }
    setup.forward_only();
    return {x, distributions};
  }

  void forward(Pass& pass) override {
    const Tensor x = pass.input(0), y = pass.output(0);
    Device& device = pass.device();
    const auto extent = [&](int axis) { return static_cast<int32_t>(x.shape[axis]); };
    Labels labels = labels_;
    labels.label = pass.input(1).floats();
    Blend* blend = mixes_ ? static_cast<Blend*>(pass.memory(blend_)) : nullptr;
    if (mixes_) {
      parallel_for(device, 1,
                   DrawBlend{pass.random(), mixup_alpha_, cutmix_alpha_, cutmix_probability_,
                             extent(2), extent(3), blend},
                   pass.step());
      const int64_t columns = x.shape[3] * x.shape[1];
      parallel_rows(
          device, x.shape[0] * x.shape[2], columns,
          MixImages{x.floats(), blend, extent(0), extent(2), extent(1), columns, y.floats()});
    } else {
      device.copy(y.data, x.data, x.bytes());
    }
    parallel_rows(device, x.shape[0], labels.classes,
                  MixLabels{labels, blend, x.shape[0], pass.output(1).floats()});
  }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    return labels_.bad_row(pass.device(), pass.input(1));
  }

 private:
  // Both of a pair are to be rows of one process.
  static void require_pairs(const Setup& setup) {
    const BatchRows rows = setup.rows();
    const int64_t end = rows.first + rows.count;
    if (rows.first % 2 == 0 && (end % 2 == 0 || end == rows.whole)) return;
    const int processes = setup.ranks()->size();
    setup.fail("mixes pairs of neighbours, which batches of ", rows.whole, " for ", processes,
               " processes tear apart; take a batch_size that is a multiple of ", 2 * processes);
  }
  static float alpha(const Setup& setup, const Options& options, const char* field) {
    const double value = options.number(field);
    setup.require(value >= 0 && value <= 4, field, " must lie in [0, 4], got ", value);
    return static_cast<float>(value);
  }

  float mixup_alpha_ = 0, cutmix_alpha_ = 0, cutmix_probability_ = 0;
  bool mixes_ = false;
  Labels labels_{};
  Handle blend_ = -1;
};

OREPA_LAYER(Mixup, "mixes each image and its label with another one of the batch: mixup, cutmix")
    .keeps_channels();

}  // namespace
}  // namespace orepa
