// Bottoms of as many numbers as bottom 0, compared with it number by number in Caffe's order: their
// shapes may differ, and with them how they lie in memory.
#pragma once
#include "layers/axis.h"

namespace orepa {

// Where the partner of number i of bottom 0 (as stored) lies.
class PartnerOrder {
 public:
  PartnerOrder() = default;
  // Throws Error where bottom `input` has another count, or other samples.
  PartnerOrder(const Setup& setup, int input) : from_(setup.input(0)), to_(setup.input(input)) {
    const Shape &first = setup.input(0), &second = setup.input(input);
    setup.require(first.rank() > 0 && second.rank() > 0 && first[0] == second[0] &&
                      first.count() == second.count(),
                  "compares bottoms number by number: bottom 0 is ", first.str(), ", but bottom ",
                  input, " is ", second.str());
  }
  bool is_same() const { return from_ == to_; }
  OREPA_HD int64_t operator()(int64_t i) const { return to_.stored(from_.logical(i)); }

 private:
  LogicalOrder from_{Shape{}}, to_{Shape{}};
};

// The same where both lie alike: loops over it are vectorised.
struct SameOrder {
  SameOrder() = default;
  explicit SameOrder(const PartnerOrder&) {}
  OREPA_HD int64_t operator()(int64_t i) const { return i; }
};

// Calls f with the order as the simplest type that says it.
template <class F>
void with_order(const PartnerOrder& order, const F& f) {
  if (order.is_same())
    f(SameOrder());
  else
    f(order);
}

// Number i of bottom 0 less its partner of bottom 1.
template <class Order>
struct Difference {
  const float *a, *b;
  Order partner;

  Difference(Pass& pass, const Order& partner)
      : a(pass.input(0).floats()), b(pass.input(1).floats()), partner(partner) {}
  OREPA_HD float operator()(int64_t i) const { return a[i] - b[partner(i)]; }
};

// The gradients of both bottoms, where they are wanted, of a loss of their differences: slope(n, i)
// is that by number i of bottom 0, of sample n, before it is divided.
template <class Slope, class Order>
struct DifferenceGradient {
  Slope slope;
  Order partner;
  int64_t columns;
  const float *divisor, *dloss;
  float *da, *db;

  OREPA_HD void operator()(int64_t n, int64_t j) const {
    const int64_t i = n * columns + j;
    const float d = dloss[0] / divisor[0] * slope(n, i);
    if (da != nullptr) da[i] = d;
    if (db != nullptr) db[partner(i)] = -d;
  }
};
template <class Slope, class Order>
void backward_of_difference(Pass& pass, const Slope& slope, const Order& partner,
                            const float* divisor) {
  const Tensor a = pass.input(0);
  const int64_t samples = a.shape[0], columns = a.count() / samples;
  parallel_rows(pass.device(), samples, columns,
                DifferenceGradient<Slope, Order>{
                    slope, partner, columns, divisor, pass.output_gradient(0).floats(),
                    pass.input_gradient(0).floats(), pass.input_gradient(1).floats()});
}

}  // namespace orepa
