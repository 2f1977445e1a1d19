#include <limits>

#include "orepa/layer.h"

namespace orepa {
namespace {

class DummyData : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("dummy_data_param");
    const std::vector<Options> shapes = options.messages("shape");
    const std::vector<Options> fillers = options.messages("data_filler");
    const int tops = setup.outputs();
    setup.require(tops > 0, "names no top");
    for (const char* field : {"num", "channels", "height", "width"})
      setup.require(shapes.empty() || !options.has(field), "either shape or num, channels, height ",
                    "and width can be given, not both");
    std::vector<Shape> made;
    for (int o = 0; o < tops; ++o) {
      std::vector<int64_t> extents;
      if (!shapes.empty()) {
        setup.require(shapes.size() == 1 || static_cast<int>(shapes.size()) == tops,
                      "needs one shape for all tops, or one each; got ", shapes.size());
        extents = shapes[shapes.size() == 1 ? 0 : o].integers("dim");
      } else {
        for (const char* field : {"num", "channels", "height", "width"}) {
          const std::vector<int64_t> values = options.integers(field);
          setup.require(values.size() == 1 || static_cast<int>(values.size()) == tops,
                        "needs dummy_data_param.shape, or one ", field,
                        " for all tops or one each");
          extents.push_back(values[values.size() == 1 ? 0 : o]);
        }
      }
      BatchRows rows;
      if (!extents.empty()) {
        rows = setup.take_rows(extents[0]);
        extents[0] = rows.whole;
      }
      const Shape whole(extents);
      if (!extents.empty()) extents[0] = rows.count;
      made.emplace_back(std::move(extents));
      setup.require(fillers.size() <= 1 || static_cast<int>(fillers.size()) == tops,
                    "needs one data_filler for all tops, or one each; got ", fillers.size());
      Filler filler = Filler::constant(0);
      if (!fillers.empty()) filler = Filler::from_message(fillers[fillers.size() == 1 ? 0 : o]);
      setup.require(whole.fits(std::numeric_limits<int64_t>::max() / sizeof(float)),
                    "a top would be ", whole.str());
      // The same numbers for everyone who has a part of the batch.
      const int64_t count = made.back().count();
      const int64_t first = rows.count > 0 ? rows.first * (count / rows.count) : 0;
      kept_.push_back(setup.constant(
          made.back(), [=, seed = setup.seed(), purpose = text(setup.spec().name, " top ", o)] {
            std::vector<float> values(static_cast<size_t>(whole.count()));
            filler.fill(whole, seed, purpose, values.data());
            return std::vector<float>(values.begin() + first, values.begin() + first + count);
          }));
    }
    setup.forward_only();
    return made;
  }

  void forward(Pass& pass) override {
    for (size_t o = 0; o < kept_.size(); ++o) {
      const Tensor top = pass.output(static_cast<int>(o));
      pass.device().copy(top.floats(), pass.memory(kept_[o]), top.bytes());
    }
  }

 private:
  std::vector<Handle> kept_;
};

OREPA_LAYER(DummyData, "tops filled once by fillers, the same in every pass; for timing and tests");

}  // namespace
}  // namespace orepa
