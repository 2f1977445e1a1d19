// Averages: exponential moving averages of what training changes, of learned parameters and running
// statistics, in device memory beside them.
//
// After update t, counted from 0, average += (1 - decay_t) (value - average) with
// decay_t = min(decay, (1 + t) / (10 + t)), the num_updates of TensorFlow's
// ExponentialMovingAverage: first averages are of few steps, so that where the training started is
// soon forgotten. Statistics are averaged too, for those of the live net are of activations that
// the averaged weights do not make. Of an ORepaConv the factors are averaged, as all parameters are
// in published training; the kernel is composed of the averages.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/upload.h"
#include "orepa/params.h"
#include "orepa/update_rule.h"

namespace orepa {

class Averages {
 public:
  // `parameters` must have their memory, and outlive this. Averages are the parameters themselves
  // until start().
  Averages(Parameters& parameters, double decay);

  // Averages begin with the values that the parameters have now.
  void start();
  bool started() const { return started_; }

  // Of an update, in this order, without a wait: before it (the first of all starts)...
  void begin(int64_t update);
  // ...and behind it, where the step proceeds.
  void add(const StepScale* step);

  // Calls call() while parameters and averages are exchanged.
  void in_place(const std::function<void()>& call);

  int64_t bytes() const { return memory_.bytes(); }  // of device memory

 private:
  struct Average {
    Tensor value;
    float* average;
  };
  void exchange();

  Parameters& parameters_;
  const double decay_;
  bool started_ = false;
  std::vector<Average> averages_;
  DeviceMemory memory_;  // the weight of the next value, then the averages
  Upload weight_;
};

}  // namespace orepa
