#include "io/legacy/layer_types.h"

namespace orepa {
namespace {

using V1 = V1LayerParameter;

struct LayerType {
  const char* name;
  V1::LayerType v1;
  const char* v0 = nullptr;  // where V0 had it already
};

constexpr LayerType kTypes[] = {
    {"AbsVal", V1::ABSVAL},
    {"Accuracy", V1::ACCURACY, "accuracy"},
    {"ArgMax", V1::ARGMAX},
    {"BNLL", V1::BNLL, "bnll"},
    {"Concat", V1::CONCAT, "concat"},
    {"ContrastiveLoss", V1::CONTRASTIVE_LOSS},
    {"Convolution", V1::CONVOLUTION, "conv"},
    {"Data", V1::DATA, "data"},
    {"Deconvolution", V1::DECONVOLUTION},
    {"Dropout", V1::DROPOUT, "dropout"},
    {"DummyData", V1::DUMMY_DATA},
    {"Eltwise", V1::ELTWISE},
    {"EuclideanLoss", V1::EUCLIDEAN_LOSS, "euclidean_loss"},
    {"Exp", V1::EXP},
    {"Flatten", V1::FLATTEN, "flatten"},
    {"HDF5Data", V1::HDF5_DATA, "hdf5_data"},
    {"HDF5Output", V1::HDF5_OUTPUT, "hdf5_output"},
    {"HingeLoss", V1::HINGE_LOSS},
    {"Im2col", V1::IM2COL, "im2col"},
    {"ImageData", V1::IMAGE_DATA, "images"},
    {"InfogainLoss", V1::INFOGAIN_LOSS, "infogain_loss"},
    {"InnerProduct", V1::INNER_PRODUCT, "innerproduct"},
    {"LRN", V1::LRN, "lrn"},
    {"MVN", V1::MVN},
    {"MemoryData", V1::MEMORY_DATA},
    {"MultinomialLogisticLoss", V1::MULTINOMIAL_LOGISTIC_LOSS, "multinomial_logistic_loss"},
    {"Pooling", V1::POOLING, "pool"},
    {"Power", V1::POWER},
    {"ReLU", V1::RELU, "relu"},
    {"Sigmoid", V1::SIGMOID, "sigmoid"},
    {"SigmoidCrossEntropyLoss", V1::SIGMOID_CROSS_ENTROPY_LOSS},
    {"Silence", V1::SILENCE},
    {"Slice", V1::SLICE},
    {"Softmax", V1::SOFTMAX, "softmax"},
    {"SoftmaxWithLoss", V1::SOFTMAX_LOSS, "softmax_loss"},
    {"Split", V1::SPLIT, "split"},
    {"TanH", V1::TANH, "tanh"},
    {"Threshold", V1::THRESHOLD},
    {"WindowData", V1::WINDOW_DATA, "window_data"},
};

}  // namespace

std::string type_of_v1(V1::LayerType type) {
  for (const LayerType& known : kTypes)
    if (known.v1 == type) return known.name;
  return "";
}

std::string type_of_v0(const std::string& type) {
  for (const LayerType& known : kTypes)
    if (known.v0 != nullptr && known.v0 == type) return known.name;
  return "";
}

}  // namespace orepa
