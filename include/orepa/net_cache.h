// NetCache: nets of one network for inputs of several sizes, over the same Parameters and Arena.
// Plans and packed kernels are shared, so another size costs little; where they are the same, next
// to nothing.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa {

// What the nets of a NetCache differ in; by default as their options say.
struct NetSizes {
  int64_t batch_size = 0, first_sample = 0;  // of a source of samples
  std::map<std::string, Shape> inputs;       // of Input layers' blobs
  bool operator==(const NetSizes&) const = default;
  auto operator<=>(const NetSizes&) const = default;
};

class NetCache {
 public:
  static constexpr size_t kMost = 16;  // nets that are kept

  // Builds the first net, that of the options. Throws Error as Net does.
  NetCache(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options);

  Net& first() { return *nets_.at({}).net; }
  // The net of those sizes, which is built where there is none. It is valid until kMost others have
  // been asked for since; the first one always.
  Net& of(const NetSizes& sizes);
  int64_t persistent_bytes() const;       // of all of them
  std::vector<std::string> take_notes();  // Net::take_notes() of all of them

 private:
  struct Entry {
    std::unique_ptr<Net> net;
    int64_t asked = 0;
  };
  void forget_oldest();

  const NetSpec spec_;
  Parameters& parameters_;
  Arena& arena_;
  const NetOptions options_;
  std::map<NetSizes, Entry> nets_;
  int64_t asked_ = 0;
};

}  // namespace orepa
