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
      if (setup.batch_size_override() > 0 && !extents.empty())
        extents[0] = setup.batch_size_override();
      made.emplace_back(std::move(extents));
      setup.require(fillers.size() <= 1 || static_cast<int>(fillers.size()) == tops,
                    "needs one data_filler for all tops, or one each; got ", fillers.size());
      Filler filler = Filler::constant(0);
      if (!fillers.empty()) filler = Filler::from_message(fillers[fillers.size() == 1 ? 0 : o]);
      fillers_.push_back(std::move(filler));
      setup.require(made.back().fits(std::numeric_limits<int64_t>::max() / sizeof(float)),
                    "a top would be ", made.back().str());
      kept_.push_back(setup.persistent(made.back().bytes()));
    }
    name_ = setup.spec().name;
    seed_ = setup.seed();
    setup.forward_only();
    return made;
  }

  // The same numbers in every pass: drawn and moved to the device once, then copied there.
  void forward(Pass& pass) override {
    for (size_t o = 0; o < kept_.size(); ++o) {
      const Tensor top = pass.output(static_cast<int>(o));
      if (!filled_) fill(pass.device(), {pass.floats(kept_[o]), top.shape}, o);
      pass.device().copy(top.data, pass.memory(kept_[o]), top.bytes());
    }
    filled_ = true;
  }

 private:
  void fill(Device& device, const Tensor& kept, size_t top) const {
    std::vector<float> values(static_cast<size_t>(kept.count()));
    fillers_[top].fill(kept.shape, seed_, text(name_, " top ", top), values.data());
    write_tensor(device, kept, values);
  }
  std::string name_;
  uint64_t seed_ = 0;
  std::vector<Filler> fillers_;  // one a top
  std::vector<Handle> kept_;
  bool filled_ = false;
};

OREPA_LAYER(DummyData, "tops filled once by fillers, the same in every pass; for timing and tests");

}  // namespace
}  // namespace orepa
