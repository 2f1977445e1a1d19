#include "caffe_net.h"

#include <google/protobuf/text_format.h>

#include <algorithm>

#include "orepa/error.h"

namespace orepa::zoo {
namespace {

std::string shape_field(const std::vector<int>& shape) {
  std::string dims;
  for (const int extent : shape) dims += text(" dim: ", extent);
  return "shape {" + dims + " }";
}

std::string parameter_of(const std::string& type) {
  return type == "InnerProduct" ? "inner_product_param" : "convolution_param";
}

}  // namespace

CaffeNet::CaffeNet(const std::string& name, File file, double width) : file_(file), width_(width) {
  net_.set_name(name);
}

int CaffeNet::scaled(int channels) const {
  return std::max(1, static_cast<int>(channels * width_));
}

LayerParameter& CaffeNet::layer(const std::string& name, const std::string& type,
                                const std::vector<std::string>& bottoms,
                                const std::vector<std::string>& tops, const std::string& fields) {
  LayerParameter& layer = *net_.add_layer();
  layer.set_name(name);
  layer.set_type(type);
  for (const std::string& bottom : bottoms) layer.add_bottom(bottom);
  for (const std::string& top : tops) layer.add_top(top);
  if (only_in_training_) layer.add_include()->set_phase(TRAIN);
  require(google::protobuf::TextFormat::Parser().MergeFromString(fields, &layer), "layer \"", name,
          "\": these are no fields of a layer: ", fields);
  return layer;
}

std::string CaffeNet::add(const std::string& name, const std::string& type,
                          const std::vector<std::string>& bottoms, const std::string& fields) {
  layer(name, type, bottoms, {name}, fields);
  return name;
}

void CaffeNet::change(const std::string& name, const std::string& type, const std::string& blob,
                      const std::string& fields) {
  layer(name, type, {blob}, {blob}, fields);
}

std::string CaffeNet::weighted(const std::string& name, const std::string& type,
                               const std::string& bottom, int outputs, const std::string& fields) {
  const bool bias = fields.find("bias_term: false") == std::string::npos;
  return add(
      name, type, {bottom},
      text("param { lr_mult: 1 decay_mult: 1 } ", bias ? "param { lr_mult: 2 decay_mult: 0 } " : "",
           parameter_of(type), " { num_output: ", outputs, " ", fields, " }"));
}

std::string CaffeNet::convolution(const std::string& name, const std::string& bottom, int outputs,
                                  const std::string& fields) {
  return weighted(name, "Convolution", bottom, scaled(outputs), fields);
}

std::string CaffeNet::inner_product(const std::string& name, const std::string& bottom, int outputs,
                                    const std::string& fields) {
  return weighted(name, "InnerProduct", bottom, scaled(outputs), fields);
}

std::string CaffeNet::convolution_score(const std::string& name, const std::string& bottom,
                                        int classes, const std::string& fields) {
  return weighted(name, "Convolution", bottom, classes, fields);
}

std::string CaffeNet::inner_product_score(const std::string& name, const std::string& bottom,
                                          int classes, const std::string& fields) {
  return weighted(name, "InnerProduct", bottom, classes, fields);
}

std::string CaffeNet::max_pool(const std::string& name, const std::string& bottom, int kernel,
                               int stride, const std::string& fields) {
  return add(name, "Pooling", {bottom},
             text("pooling_param { pool: MAX kernel_size: ", kernel, " stride: ", stride, " ",
                  fields, " }"));
}

std::string CaffeNet::average_pool(const std::string& name, const std::string& bottom, int kernel,
                                   int stride) {
  return add(name, "Pooling", {bottom},
             text("pooling_param { pool: AVE kernel_size: ", kernel, " stride: ", stride, " }"));
}

std::string CaffeNet::global_average(const std::string& name, const std::string& bottom) {
  return add(name, "Pooling", {bottom}, "pooling_param { pool: AVE global_pooling: true }");
}

void CaffeNet::relu(const std::string& name, const std::string& blob) {
  change(name, "ReLU", blob);
}

void CaffeNet::dropout(const std::string& name, const std::string& blob, double ratio) {
  change(name, "Dropout", blob, text("dropout_param { dropout_ratio: ", ratio, " }"));
}

void CaffeNet::data(const std::vector<Top>& tops, const Source& source, int used) {
  if (!trains()) {
    for (int i = 0; i < used; ++i) {
      std::vector<int> shape = tops[static_cast<size_t>(i)].shape;
      shape[0] = 1;
      add(tops[static_cast<size_t>(i)].name, "Input", {},
          "input_param { " + shape_field(shape) + " }");
    }
    return;
  }
  std::vector<std::string> names;
  std::string shapes, fillers;
  for (const Top& top : tops) {
    fillers += names.empty() ? "data_filler { type: 'gaussian' } "
                             : text("data_filler { type: 'constant' value: ", top.value, " } ");
    names.push_back(top.name);
    shapes += shape_field(top.shape) + " ";
  }
  const std::string stage = " stage: 'images' } ";
  layer("data", source.type, {}, names, "include { phase: TRAIN" + stage + source.train);
  layer("data", source.type, {}, names, "include { phase: TEST" + stage + source.test);
  layer("data", "DummyData", {}, names,
        "include { not_stage: 'images' } dummy_data_param { " + fillers + shapes + "}");
}

void CaffeNet::classify(const std::string& scores, bool top5) {
  if (!trains()) {
    add("prob", "Softmax", {scores});
    return;
  }
  add("loss", "SoftmaxWithLoss", {scores, "label"});
  add("accuracy", "Accuracy", {scores, "label"}, "include { phase: TEST }");
  if (top5)
    add("accuracy_top5", "Accuracy", {scores, "label"},
        "include { phase: TEST } accuracy_param { top_k: 5 }");
}

}  // namespace orepa::zoo
