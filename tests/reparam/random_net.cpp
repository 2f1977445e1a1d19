#include "tests/reparam/random_net.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "orepa/error.h"

namespace orepa {

int random_seeds() {
  const char* seeds = std::getenv("OREPA_TEST_SEEDS");
  return seeds == nullptr ? 1000 : std::stoi(seeds);
}

RandomNet::RandomNet(uint64_t seed) : random_(seed, "random block") {}

std::string RandomNet::input() {
  return text("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: ",
              channels_, " dim: ", height_, " dim: ", width_, " } } }\n");
}

std::string RandomNet::add(const std::string& type, const std::vector<std::string>& bottoms,
                           const std::string& fields, bool in_place) {
  const std::string name = text("v", count_++), top = in_place ? bottoms[0] : name;
  layers_ += text("layer { name: '", name, "' type: '", type, "' ");
  for (const std::string& bottom : bottoms) layers_ += "bottom: '" + bottom + "' ";
  layers_ += text("top: '", top, "' ", fields, " }\n");
  return top;
}

std::string RandomNet::convolution(const std::string& from, int64_t outputs,
                                   const std::string& fields, bool bias) {
  return add(
      "Convolution", {from},
      text("convolution_param { num_output: ", outputs, " bias_term: ", bias, " ", fields, " }"));
}

std::string RandomNet::norm(const std::string& from, bool in_place) {
  const std::string name = add("BatchNorm", {from}, "", in_place);
  return below(3)
             ? add("Scale", {name}, text("scale_param { bias_term: ", below(2), " }"), in_place)
             : name;
}

std::string RandomNet::border(const std::string& from, int64_t pad) {
  return add("BatchNormPad", {from}, text("batch_norm_param { pad: ", pad, " }"));
}

std::string RandomNet::sum(const std::vector<std::string>& bottoms, bool factors) {
  std::string coefficients;
  for (size_t i = 0; i < bottoms.size(); ++i)
    coefficients += text("coeff: ", below(5) == 2 ? 0.5 : 1.5 - static_cast<double>(below(3)), " ");
  return add("Eltwise", bottoms, factors ? "eltwise_param { " + coefficients + "}" : "");
}

// --- linear blocks ------------------------------------------------------------------------------

std::string RandomNet::block() {
  height_ = 5 + below(5), width_ = 5 + below(5), channels_ = 2 * (1 + below(3));
  const int64_t stride = 1 + below(2), outputs = below(2) ? channels_ : 2 * (1 + below(4));
  const std::string top = linear_block("x", channels_, outputs, stride, 0);
  if (below(2)) norm(top);
  return input() + layers_;
}

// Branches from `from` with `inputs` channels to `outputs` channels.
std::string RandomNet::linear_block(const std::string& from, int64_t inputs, int64_t outputs,
                                    int64_t stride, int depth) {
  std::vector<std::string> bottoms;
  const int64_t branches = 2 + below(3);
  for (int64_t b = 0; b < branches; ++b) {
    const bool computes = depth == 0 && b == 0;  // not identities alone
    bottoms.push_back(
        computes ? convolution(from, outputs, text("kernel_size: 1 stride: ", stride), true)
                 : branch(from, inputs, outputs, stride, depth));
  }
  return sum(bottoms, below(2) == 0);
}

std::string RandomNet::branch(const std::string& from, int64_t inputs, int64_t outputs,
                              int64_t stride, int depth) {
  const int64_t kernel = 1 + 2 * below(3), half = kernel / 2, dilation = 1 + below(2);
  const std::string strides = text("stride: ", stride, " ");
  switch (below(10)) {
    case 0:
      return maybe_norm(
          convolution(from, outputs,
                      text(strides, "kernel_size: ", kernel, " pad: ", half * dilation,
                           " dilation: ", dilation, " group: ", 1 + below(2)),
                      below(2)));
    case 1:
      return maybe_norm(convolution(from, outputs, strides + "kernel_size: 1", below(2)));
    case 2:  // 1 x K or K x 1
      return maybe_norm(convolution(
          from, outputs,
          strides + (below(2)
                         ? text("kernel_h: 1 kernel_w: ", kernel, " pad_h: 0 pad_w: ", half)
                         : text("kernel_h: ", kernel, " kernel_w: 1 pad_h: ", half, " pad_w: 0")),
          below(2)));
    case 3: {  // 1 x 1, border, K x K
      const int64_t middle = 2 * (1 + below(3));
      const std::string padded = border(convolution(from, middle, "kernel_size: 1", false), half);
      return maybe_norm(
          convolution(padded, outputs, text(strides, "kernel_size: ", kernel), below(2)));
    }
    case 4: {  // 1 x 1, border, average
      const std::string padded = border(convolution(from, outputs, "kernel_size: 1", false), half);
      return maybe_norm(add("Pooling", {padded},
                            text("pooling_param { pool: AVE round_mode: FLOOR ", strides,
                                 "kernel_size: ", kernel, " }")));
    }
    case 5: {  // depthwise, pointwise
      const std::string spread = convolution(
          from, 2 * inputs,
          text(strides, "kernel_size: ", kernel, " pad: ", half, " group: ", inputs), below(2));
      return maybe_norm(convolution(maybe_norm(spread), outputs, "kernel_size: 1", below(2)));
    }
    case 6:  // identity
      if (inputs != outputs || stride != 1) break;
      return below(2) ? norm(from) : from;
    case 7: {  // a sequence of kernels whose padding stands in front
      const std::string front =
          convolution(from, 4, text("kernel_size: 3 pad: ", half + 1), below(2));
      return maybe_norm(
          convolution(front, outputs, text(strides, "kernel_size: ", kernel), below(2)));
    }
    case 8:
      return maybe_norm(add(
          "ORepaConv", {from},
          kernel == 1
              ? text("convolution_param { num_output: ", outputs, " ", strides,
                     "kernel_size: 1 } orepa_param { preset: OREPA_1X1 }")
              : text("convolution_param { num_output: ", outputs, " ", strides,
                     "kernel_size: ", kernel, " pad: ", half, " } orepa_param { preset: OREPA }")));
    default:  // blocks in blocks
      if (depth == 2) break;
      if (below(2)) return maybe_norm(linear_block(from, inputs, outputs, stride, depth + 1));
      return maybe_norm(convolution(linear_block(from, inputs, 4, 1, depth + 1), outputs,
                                    strides + "kernel_size: 1", below(2)));
  }
  return convolution(from, outputs, strides + "kernel_size: 1", true);
}

// --- whole nets ---------------------------------------------------------------------------------

std::string RandomNet::net() {
  height_ = 4 + below(6), width_ = 4 + below(6), channels_ = 2 * (1 + below(3));
  Blob blob{"x", channels_, height_, width_};
  blobs_ = {blob};
  const int64_t steps = 1 + below(5);
  for (int64_t i = 0; i < steps; ++i) {
    blob = step(blob);
    blobs_.push_back(blob);
    if (one_in(6)) activated(convolved(blob, 2 * (1 + below(3)), {}));  // an output of its own
  }
  end(blob);
  return input() + layers_;
}

RandomNet::Blob RandomNet::step(const Blob& from) {
  const int64_t kernel = 1 + 2 * below(2),
                stride = from.height > 4 && from.width > 4 ? 1 + below(2) : 1;
  const int64_t outputs = below(2) ? from.channels : 2 * (1 + below(4));
  switch (below(12)) {
    case 0:
    case 1:
      return plain(from, outputs,
                   {kernel, stride, below(3) || from.height < 3 || from.width < 3 ? kernel / 2 : 0,
                    1, 1 + below(2)});
    case 2:
    case 3:
    case 4:
      return residual(from);
    case 5:
      return branch_in_place(from);
    case 6: {
      const Blob block{linear_block(from.name, from.channels, outputs, stride, 1), outputs,
                       (from.height - 1) / stride + 1, (from.width - 1) / stride + 1};
      return below(2) ? activated(block) : block;
    }
    case 7:
      return inverted_residual(from);
    case 8:
      return excited(from);
    case 9:
      return pooled(from);
    case 10:
      return concatenated(from);
    default:
      return same(from);
  }
}

RandomNet::Blob RandomNet::convolved(const Blob& from, int64_t outputs, const Window& window) {
  const int64_t reach = (window.kernel - 1) * window.dilation + 1;
  const auto extent = [&](int64_t in) { return (in + 2 * window.pad - reach) / window.stride + 1; };
  return {convolution(from.name, outputs,
                      text("kernel_size: ", window.kernel, " stride: ", window.stride, " pad: ",
                           window.pad, " dilation: ", window.dilation, " group: ", window.groups),
                      below(2)),
          outputs, extent(from.height), extent(from.width)};
}

// One in place changes what later readers of the name see.
RandomNet::Blob RandomNet::activated(Blob from) {
  const char* const types[] = {"ReLU", "ReLU", "ReLU", "TanH", "Sigmoid", "PReLU", "ELU"};
  from.name = add(types[below(7)], {from.name}, "", below(2));
  return from;
}

RandomNet::Blob RandomNet::plain(const Blob& from, int64_t outputs, const Window& window) {
  Blob blob = convolved(from, outputs, window);
  if (below(3)) blob.name = norm(blob.name, below(2));
  return below(3) ? activated(blob) : blob;
}

RandomNet::Blob RandomNet::same(const Blob& from) {
  Blob blob = from;
  switch (below(4)) {
    case 0:
      blob.name = norm(from.name, below(2));
      return blob;
    case 1:
      if (from.name == "x") return activated(from);  // not a net of Dropouts alone
      blob.name = add("Dropout", {from.name}, "", below(2));
      return blob;
    case 2:
      blob.name =
          add("Eltwise", {from.name, any_like(from).name},
              below(2) ? "eltwise_param { operation: PROD }" : "eltwise_param { operation: MAX }");
      return blob;
    default:
      return activated(from);
  }
}

const RandomNet::Blob& RandomNet::any_like(const Blob& blob) {
  std::vector<const Blob*> alike;
  for (const Blob& other : blobs_)
    if (other.channels == blob.channels && other.height == blob.height &&
        other.width == blob.width && other.flat == blob.flat)
      alike.push_back(&other);
  return alike.empty() ? blob : *alike[below(static_cast<int64_t>(alike.size()))];
}

// x + f(x), with an identity twice, a function of x as a third term, an older blob, coefficients.
RandomNet::Blob RandomNet::residual(const Blob& from) {
  Blob inside = from;
  const int64_t deep = 1 + below(2);
  for (int64_t i = 0; i < deep; ++i) {
    const int64_t kernel = 1 + 2 * below(2);
    const bool last = i + 1 == deep;
    inside = convolved(inside, last ? from.channels : 2 * (1 + below(4)), {kernel, 1, kernel / 2});
    inside.name = maybe_norm(inside.name);
    if (!last) inside = activated(inside);
  }
  std::vector<std::string> terms = {from.name, inside.name};
  if (one_in(3)) terms.push_back(from.name);
  if (one_in(3)) terms.push_back(add("ReLU", {from.name}, ""));
  if (one_in(3)) terms.push_back(any_like(from).name);
  if (one_in(3)) terms.push_back(norm(from.name));
  if (one_in(4)) terms.push_back(branch(from.name, from.channels, from.channels, 1, 1));
  if (below(2)) std::swap(terms[0], terms[1]);
  Blob result = from;
  result.name = sum(terms, one_in(3));
  return below(3) ? activated(result) : result;
}

// A shortcut reads the value before what works in place on it; both are added behind.
RandomNet::Blob RandomNet::branch_in_place(const Blob& from) {
  Blob early = from;
  if (below(2)) early.name = norm(from.name);
  Blob shortcut = convolved(early, from.channels, {});
  if (one_in(3)) shortcut.name = norm(shortcut.name, below(2));
  early.name = one_in(3) ? norm(early.name, true) : add("ReLU", {early.name}, "", true);
  const bool late = below(2);  // a normalisation behind, so that the merged layer stands there
  if (late) shortcut.name = norm(shortcut.name, true);
  const Blob main = plain(early, from.channels, {3, 1, 1});
  Blob result = from;
  result.name = sum({main.name, shortcut.name}, false);
  return result;
}

// MobileNet v2's, with a linear bottleneck at its end.
RandomNet::Blob RandomNet::inverted_residual(const Blob& from) {
  Blob wide = convolved(from, 2 * from.channels, {});
  wide.name = add("ReLU", {norm(wide.name, true)}, "", true);
  wide = convolved(wide, wide.channels, {3, 1, 1, 1, wide.channels});
  wide.name = add("ReLU", {norm(wide.name, true)}, "", true);
  Blob narrow = convolved(wide, below(2) ? from.channels : 2, {});
  narrow.name = norm(narrow.name, true);
  if (narrow.channels != from.channels || below(2)) return narrow;
  narrow.name = sum({from.name, narrow.name}, false);
  return narrow;
}

RandomNet::Blob RandomNet::excited(const Blob& from) {
  const std::string squeezed =
      add("Pooling", {from.name}, "pooling_param { pool: AVE global_pooling: true }");
  const std::string down = add("InnerProduct", {squeezed}, "inner_product_param { num_output: 2 }");
  if (below(2)) add("ReLU", {down}, "", true);
  const std::string up =
      add("InnerProduct", {down}, text("inner_product_param { num_output: ", from.channels, " }"));
  Blob result = from;
  result.name =
      add("Scale", {from.name, add("Sigmoid", {up}, "", below(2))}, "scale_param { axis: 0 }");
  return result;
}

RandomNet::Blob RandomNet::pooled(const Blob& from) {
  const int64_t stride = 1 + below(2),
                kernel = std::min<int64_t>(2 + below(2), std::min(from.height, from.width));
  Blob result = from;
  result.name = add("Pooling", {from.name},
                    text("pooling_param { pool: ", below(2) ? "AVE" : "MAX",
                         " round_mode: FLOOR kernel_size: ", kernel, " stride: ", stride, " }"));
  result.height = (from.height - kernel) / stride + 1;
  result.width = (from.width - kernel) / stride + 1;
  return result;
}

RandomNet::Blob RandomNet::concatenated(const Blob& from) {
  const Blob a = plain(from, 2 * (1 + below(2)), {3, 1, 1}),
             b = below(2) ? from : plain(from, 4, {});
  return {add("Concat", {a.name, b.name}, ""), a.channels + b.channels, from.height, from.width};
}

void RandomNet::end(Blob blob) {
  if (below(2)) return;  // as it is
  if (below(2))
    blob.name = add("Pooling", {blob.name}, "pooling_param { pool: AVE global_pooling: true }");
  if (one_in(3)) blob.name = add("Flatten", {blob.name}, "");
  const auto inner_product = [&](int64_t outputs) {
    blob = {add("InnerProduct", {blob.name},
                text("inner_product_param { num_output: ", outputs, " bias_term: ", below(2),
                     " transpose: ", below(2), " }")),
            outputs, 1, 1, true};
    if (below(2)) blob.name = norm(blob.name, below(2));
    if (below(2)) blob = activated(blob);
  };
  inner_product(2 + below(5));
  if (below(2)) {
    const std::string shortcut = blob.name;
    const int64_t outputs = blob.channels;
    inner_product(outputs);
    if (below(2)) blob.name = sum({shortcut, blob.name}, below(2));
  }
  if (below(2)) inner_product(3);
  if (one_in(3)) add("Softmax", {blob.name}, "");
}

}  // namespace orepa
