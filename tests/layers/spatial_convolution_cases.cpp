// Rows of the harness: Convolution and Deconvolution over other axes than those of N x C x H x W,
// and of several bottoms; Im2col. Their reference walks over all pairs of a pixel and a tap.
#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using Array = std::vector<double>;
using Extents = std::vector<int64_t>;

struct Windows {
  Extents kernel, stride, pad, dilation;  // one along each spatial axis
};

// The place of number i along each axis.
Extents places(int64_t i, const Extents& extents) {
  Extents places(extents.size());
  for (size_t a = extents.size(); a-- > 0; i /= extents[a]) places[a] = i % extents[a];
  return places;
}

int64_t count(const Extents& extents) { return Shape(extents).count(); }

// Calls visit(small, large, tap) for what lies where in row-major order: a convolution sums over
// `large` pixels for each small one, and a deconvolution the other way round.
template <class Visit>
void each_pair(const Extents& large, const Extents& small, const Windows& w, Visit visit) {
  for (int64_t s = 0; s < count(small); ++s)
    for (int64_t tap = 0; tap < count(w.kernel); ++tap) {
      const Extents window = places(s, small), taps = places(tap, w.kernel);
      int64_t place = 0;
      bool inside = true;
      for (size_t a = 0; a < large.size(); ++a) {
        const int64_t pixel = window[a] * w.stride[a] - w.pad[a] + taps[a] * w.dilation[a];
        inside = inside && pixel >= 0 && pixel < large[a];
        place = place * large[a] + pixel;
      }
      if (inside) visit(s, place, tap);
    }
}

struct Case {
  std::string name, fields;
  Shape x;
  int axis;
  Windows windows;
  int64_t outputs, groups = 1;
  int bottoms = 1;
};

// Of each spatial axis of a convolution's top.
Extents windows_over(const Extents& pixels, const Windows& w) {
  Extents made;
  for (size_t a = 0; a < pixels.size(); ++a) {
    const int64_t reach = w.dilation[a] * (w.kernel[a] - 1) + 1;
    made.push_back((pixels[a] + 2 * w.pad[a] - reach) / w.stride[a] + 1);
  }
  return made;
}

LayerCase row(const std::string& type, const Case& c) {
  const bool turned = type == "Deconvolution";
  LayerCase row{c.name, text("layer { name: \"it\" type: \"", type, "\" "), {}};
  for (int i = 0; i < c.bottoms; ++i) {
    row.inputs.push_back({c.x});
    row.layers += text("top: \"y", i == 0 ? "" : std::to_string(i), "\" ");
  }
  row.layers += text("convolution_param { num_output: ", c.outputs, " group: ", c.groups, " ",
                     c.fields, " } }");
  row.expected = [c, turned](const Arrays& in, const Arrays& parameters) {
    const Windows& w = c.windows;
    const Extents extents = c.x.extents();
    const Extents pixels(extents.begin() + c.axis + 1, extents.end());
    Extents made = windows_over(pixels, w);
    for (size_t a = 0; turned && a < pixels.size(); ++a)
      made[a] =
          (pixels[a] - 1) * w.stride[a] + w.dilation[a] * (w.kernel[a] - 1) + 1 - 2 * w.pad[a];
    const int64_t samples = c.x.count(0, c.axis), channels = extents[c.axis];
    const int64_t ins = channels / c.groups, outs = c.outputs / c.groups, taps = count(w.kernel);
    Arrays all;
    for (const Array& x : in) {
      Array y;
      for (int64_t n = 0; n < samples; ++n)
        for (int64_t o = 0; o < c.outputs; ++o) {
          Array plane(static_cast<size_t>(count(made)), parameters[1][o]);
          for (int64_t i = 0; i < ins; ++i) {
            const int64_t channel = o / outs * ins + i;
            const double* from = x.data() + (n * channels + channel) * count(pixels);
            // (out, in / groups, taps), or for a deconvolution (in, out / groups, taps).
            const double* kernel =
                parameters[0].data() + (turned ? channel * outs + o % outs : o * ins + i) * taps;
            if (turned)
              each_pair(made, pixels, w, [&](int64_t s, int64_t large, int64_t tap) {
                plane[large] += from[s] * kernel[tap];
              });
            else
              each_pair(pixels, made, w, [&](int64_t s, int64_t large, int64_t tap) {
                plane[s] += from[large] * kernel[tap];
              });
          }
          y.insert(y.end(), plane.begin(), plane.end());
        }
      all.push_back(std::move(y));
    }
    return all;
  };
  return row;
}

LayerCase im2col(const std::string& name, const std::string& fields, const Shape& x, int axis,
                 const Windows& w) {
  LayerCase row{
      name,
      "layer { name: \"it\" type: \"Im2col\" top: \"y\" convolution_param { " + fields + " } }",
      {{x}}};
  row.expected = [=](const Arrays& in, const Arrays&) {
    const Extents pixels(x.extents().begin() + axis + 1, x.extents().end());
    const Extents made = windows_over(pixels, w);
    const int64_t columns = x[axis] * count(w.kernel), planes = x.count(0, axis) * columns;
    Array y(static_cast<size_t>(planes * count(made)));
    for (int64_t plane = 0; plane < x.count(0, axis + 1); ++plane)
      each_pair(pixels, made, w, [&](int64_t window, int64_t pixel, int64_t tap) {
        y[(plane * count(w.kernel) + tap) * count(made) + window] =
            in[0][plane * count(pixels) + pixel];
      });
    return Arrays{y};
  };
  return row;
}

}  // namespace

std::vector<LayerCase> spatial_convolution_cases() {
  const Windows line{{3}, {2}, {1}, {1}}, plane{{3, 2}, {1, 2}, {1, 0}, {1, 1}};
  const Windows space{{2, 3, 3}, {1, 2, 1}, {1, 0, 1}, {2, 1, 1}};
  const std::string line_fields = "kernel_size: 3 stride: 2 pad: 1";
  const std::string plane_fields = "kernel_h: 3 kernel_w: 2 stride: 1 stride: 2 pad: 1 pad: 0";
  const std::string space_fields =
      "kernel_size: 2 kernel_size: 3 kernel_size: 3 stride: 1 stride: 2 stride: 1 pad: 1 pad: 0 "
      "pad: 1 dilation: 2 dilation: 1 dilation: 1 ";
  const Windows same{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
  const Windows four{{2, 2, 2, 2}, {1, 1, 2, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}};
  const std::string four_fields = "kernel_size: 2 pad: 1 stride: 1 stride: 1 stride: 2 stride: 1";
  std::vector<LayerCase> rows;
  for (const std::string type : {"Convolution", "Deconvolution"}) {
    const auto add = [&](Case c) {
      c.name = (type == "Convolution" ? "convolution_" : "deconvolution_") + c.name;
      rows.push_back(row(type, c));
    };
    add({"1d", line_fields, {2, 3, 7}, 1, line, 4});
    add({"1d_groups", line_fields + " dilation: 2", {3, 6, 8}, 1, {{3}, {2}, {1}, {2}}, 4, 2});
    add({"1d_one_sample", "axis: -2 " + line_fields, {5, 9}, 0, line, 3});
    add({"no_axes", "axis: -1 kernel_size: 1", {3, 4}, 1, {}, 5});
    add({"2d_of_rank_5", "axis: 2 " + plane_fields, {2, 2, 3, 4, 5}, 2, plane, 4});
    add({"2d_of_rank_3", "axis: 0 " + plane_fields, {4, 5, 6}, 0, plane, 6, 2});
    add({"1d_of_rank_4", "axis: 2 " + line_fields, {2, 3, 4, 6}, 2, line, 4, 2});
    add({"3d_of_rank_4", "axis: 0 " + space_fields, {3, 4, 6, 5}, 0, space, 2});
    add({"3d", space_fields, {2, 3, 4, 5, 4}, 1, space, 4});
    add({"3d_groups", space_fields + "force_nd_im2col: true", {1, 6, 3, 6, 5}, 1, space, 4, 2});
    add({"3d_depthwise", "kernel_size: 3 pad: 1", {2, 3, 3, 4, 5}, 1, same, 3, 3});
    add({"4d", four_fields, {1, 2, 2, 3, 4, 3}, 1, four, 3});
    add({"bottoms", plane_fields, {2, 3, 4, 5}, 1, plane, 4, 1, 3});
    add({"1d_bottoms", line_fields, {2, 3, 7}, 1, line, 4, 1, 2});
  }
  const std::string uneven_fields =
      "kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 0 dilation: 2 stride: 2";
  const Windows uneven{{3, 2}, {2, 2}, {2, 0}, {2, 2}}, one{{1, 1}, {1, 1}, {0, 0}, {1, 1}};
  const Windows near{{3, 3}, {1, 1}, {1, 1}, {1, 1}}, far{{2, 2}, {3, 3}, {0, 0}, {1, 1}};
  rows.push_back(im2col("im2col", "kernel_size: 3 pad: 1", {2, 3, 4, 5}, 1, near));
  rows.push_back(im2col("im2col_stride", "kernel_size: 2 stride: 3", {1, 2, 5, 8}, 1, far));
  rows.push_back(im2col("im2col_dilation", uneven_fields, {2, 1, 5, 6}, 1, uneven));
  rows.push_back(im2col("im2col_channels", "kernel_size: 3 pad: 1", {1, 70, 3, 2}, 1, near));
  rows.push_back(im2col("im2col_pixels", "axis: -3 kernel_size: 1", {2, 3, 4, 5}, 1, one));
  rows.push_back(im2col("im2col_1d", line_fields, {2, 3, 7}, 1, line));
  rows.push_back(im2col("im2col_1d_of_rank_4", "axis: 2 " + line_fields, {2, 3, 4, 7}, 2, line));
  rows.push_back(im2col("im2col_1d_one_sample", "axis: -2 " + line_fields, {70, 5}, 0, line));
  rows.push_back(
      im2col("im2col_2d_of_rank_5", "axis: 2 " + plane_fields, {2, 2, 3, 4, 5}, 2, plane));
  rows.push_back(im2col("im2col_2d_of_rank_3", "axis: 0 " + plane_fields, {4, 5, 6}, 0, plane));
  rows.push_back(im2col("im2col_3d", space_fields, {2, 3, 4, 5, 4}, 1, space));
  rows.push_back(im2col("im2col_3d_of_rank_4", "axis: -4 force_nd_im2col: true " + space_fields,
                        {3, 4, 6, 5}, 0, space));
  rows.push_back(im2col("im2col_4d", four_fields, {1, 2, 2, 3, 4, 3}, 1, four));
  rows.push_back({"orepa_bottoms",
                  "layer { name: \"it\" type: \"ORepaConv\" top: \"y\" top: \"y1\" "
                  "convolution_param { num_output: 4 kernel_size: 3 pad: 1 } "
                  "orepa_param { preset: OREPA } }",
                  {{{2, 3, 4, 5}}, {{2, 3, 4, 5}}}});
  return rows;
}

}  // namespace orepa
