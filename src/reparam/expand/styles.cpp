#include "reparam/expand/styles.h"

#include "core/registry.h"

namespace orepa {

const std::vector<Style>& styles() { return registry<Style>(); }

StyleRegistrar::StyleRegistrar(Style style) { add_to_registry(std::move(style)); }

void require_kernel(const Chain& chain, int64_t smallest, int64_t largest) {
  const auto [height, width] = chain.kernel;
  require(height == width && height % 2 == 1, "its kernel of ", height, " x ", width,
          " is not square and odd");
  require(smallest <= height && height <= largest, "the style has no block for ", height, " x ",
          width);
}

void require_channels(const Chain& chain) {
  require(chain.channels > 0, "the channels of its bottom are not known",
          chain.channels_unknown.empty() ? "" : ": " + chain.channels_unknown);
}

}  // namespace orepa
