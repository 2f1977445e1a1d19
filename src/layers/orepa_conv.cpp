#include "layers/branches/presets.h"
#include "layers/branches/sum.h"
#include "layers/convolution.h"

namespace orepa {
namespace {

// A convolution with a generator behind its weight: once per update, prepare() composes W from the
// branches, and finish() turns dW, summed over all passes since, into the gradients of their
// factors.
class ORepaConv : public Convolution {
 public:
  void prepare(Pass& pass) override {
    if (!pass.is_current(kernel_)) branches_.prepare(pass, pass.parameter(kernel_).floats());
    Convolution::prepare(pass);
  }
  void finish(Pass& pass) override {
    if (const Tensor dkernel = pass.gradient(kernel_)) branches_.finish(pass, dkernel.floats());
  }
  bool has_prepare() const override { return true; }
  bool has_finish() const override { return true; }

 protected:
  Handle declare_kernel(Setup& setup, const SpatialGeometry& g) override {
    setup.require(g.kernel.rank() == 4, "bottom must have two axes behind that of the channels, ",
                  "height and width; got ", g.input.str());
    const int64_t size = g.kernel[2];
    setup.require(size == g.kernel[3] && size % 2 == 1 && size <= 11,
                  "the kernel must be square and odd, from 1 to 11; got ", size, " x ",
                  g.kernel[3]);
    const KernelGeometry geometry{g.kernel[0], g.input[g.axis], g.groups, size};
    branches_.setup(setup, geometry,
                    read_branches(setup, setup.options().message("orepa_param"), geometry), "");
    return setup.derived("weight", g.kernel);
  }

 private:
  BranchSum branches_;
};

OREPA_LAYER(ORepaConv, "convolution whose kernel is the sum of many small branches (OREPA)")
    .linear(kConvolutionMap)
    .channels(convolution_channels);

}  // namespace
}  // namespace orepa
