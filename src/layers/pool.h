// Pool: pooling over N x C x H x W as a layer declares and runs it; Pooling has one, SPP one a
// level.
#pragma once
#include "orepa/layer.h"

namespace orepa {

enum class PoolMethod { kMax, kAverage, kStochastic };

class Pool {
 public:
  // Declares what it needs. `geometry` says all but method and training. A stochastic pool takes
  // random numbers from `first_draw` on, as many as its whole batch has results.
  void setup(Setup& setup, PoolMethod method, PoolingGeometry geometry, int64_t first_draw = 0);
  void forward(Pass& pass, const Tensor& x, const Tensor& y);
  // x and y are read where reads() says so.
  void backward(Pass& pass, const Tensor& x, const Tensor& y, const Tensor& dy, const Tensor& dx);
  bool reads() const { return method_ == PoolMethod::kStochastic && !draws_; }

  const PoolingGeometry& geometry() const { return geometry_; }

 private:
  PoolMethod method_ = PoolMethod::kMax;
  PoolingGeometry geometry_;
  std::shared_ptr<PoolingPlan> plan_;  // of MAX and AVE
  bool draws_ = false;                 // in phase TRAIN a stochastic pool does, in TEST it averages
  int64_t first_draw_ = 0;
  Handle saved_ = -1, workspace_ = -1;
};

// Those of pooling_param over a bottom of shape x: input, output, kernel, stride and pad. Throws
// Error where no such windows can be.
PoolingGeometry read_pool_windows(const LayerSpec& spec, const Options& pooling_param,
                                  const Shape& x);
// The same for windows that are known; a kernel, a stride, and padding on either side.
PoolingGeometry pool_windows(const LayerSpec& spec, const Shape& x, const Pair& kernel,
                             const Pair& stride, const Pair& pad, bool ceil);
PoolMethod read_pool_method(const Options& param);  // of `pool`

}  // namespace orepa
