// What a run says when its device gives up, and what it leaves.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/error_of.h"
#include "tests/forwarding_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

// Its products fail when they are told to, as those of a GPU whose memory has an error.
class FailingDevice : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  void gemm(const Gemm& gemm) override {
    require(!fails, "uncorrectable ECC error encountered");
    inner_->gemm(gemm);
  }
  bool fails = false;
};

TEST(DeviceFailure, NamesTheLayerAndLeavesTheLastSnapshot) {
  const std::string prefix = test_folder() + "run";
  const SolverSpec spec = SolverSpec::parse(text(R"(net_param {
        layer { name: "in" type: "DummyData" top: "x" top: "label"
                dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
                inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
      base_lr: 0.05 max_iter: 6 snapshot_prefix: ')",
                                                 prefix, "'"),
                                            "solver.prototxt");
  FailingDevice device(make_device("cpu"));
  Listener listener;
  Solver solver(spec, device, {}, listener);
  for (int i = 0; i < 3; ++i) solver.step();
  const std::string snapshot = solver.snapshot();
  device.fails = true;
  const std::string message = error_of([&] { solver.solve(); });
  EXPECT_EQ(message,
            "iteration 3: layer \"ip\" (InnerProduct): uncorrectable ECC error "
            "encountered; the last snapshot, " +
                snapshot + ", is untouched");
  device.fails = false;
  EXPECT_NE(error_of([&] { solver.solve(); }).find("iteration 3 failed"), std::string::npos);
  EXPECT_NE(error_of([&] { solver.snapshot(); }).find("iteration 3 failed"), std::string::npos);
  Solver resumed(spec, device, resuming("auto"), listener);
  EXPECT_EQ(resumed.iteration(), 3);
  EXPECT_TRUE(resumed.solve());
}

}  // namespace
}  // namespace orepa
