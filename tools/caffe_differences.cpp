#include "caffe_differences.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace orepa::tool {
namespace {

bool is_one_of(const LayerSpec& layer, const std::set<std::string>& types) {
  return types.contains(layer.type);
}

bool reads_images(const LayerSpec& layer) {
  return is_one_of(layer, {"Data", "ImageData", "WindowData"});
}

bool tests(const Options& solver) {
  return solver.has("test_interval") || solver.has("test_interval_epoch");
}

// Caffe 1.0 as it registers them, with all of its optional parts.
constexpr std::string_view kCaffesLayers =
    " "
    "AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss "
    "Convolution Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss "
    "Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData InfogainLoss "
    "InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss PReLU "
    "Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid "
    "SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH "
    "Threshold Tile WindowData ";

bool is_caffes(const std::string& type) {
  return kCaffesLayers.find(" " + type + " ") != std::string_view::npos;
}

bool is_known(const std::string& type) {
  return std::any_of(layer_types().begin(), layer_types().end(),
                     [&](const LayerType& known) { return known.name == type; });
}

bool chooses_engine(const LayerSpec& layer, Phase) {
  for (const char* message : {"convolution_param", "pooling_param", "relu_param", "sigmoid_param",
                              "tanh_param", "softmax_param", "lrn_param", "spp_param"})
    if (const Options options = layer.options.message(message);
        layer.options.has(message) && options.has("engine") &&
        options.choice("engine") != "DEFAULT")
      return true;
  return false;
}

}  // namespace

const std::vector<Difference>& caffe_differences() {
  static const std::vector<Difference> all{
      {.subject = "layers that Caffe 1.0 lacks",
       .what = "Caffe 1.0 has no such layer: it is of orepa, or of forks of Caffe",
       .why = "blocks are what orepa is for, and nets of forks should run",
       .restores = "`orepa_tool convert` writes a net for use of layers that Caffe has",
       .layer = [](const LayerSpec& layer,
                   Phase) { return is_known(layer.type) && !is_caffes(layer.type); }},
      {.subject = "Data",
       .what = "samples come in another order in every epoch, in phase TRAIN",
       .why = "batches of the same neighbours, or of one class, train worse",
       .restores = "`data_param { shuffle: false }`",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             return layer.type == "Data" && phase == Phase::kTrain &&
                    !layer.options.message("data_param").has("shuffle");
           }},
      {.subject = "Data, ImageData, WindowData",
       .what = "`mirror` does nothing in phase TEST; Caffe mirrors there, too",
       .why = "a test should measure the same every time",
       .restores = "`transform_param { transform { flip {} } }`",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             return reads_images(layer) && phase == Phase::kTest &&
                    layer.options.message("transform_param").flag("mirror");
           }},
      {.subject = "HDF5Data",
       .what = "`shuffle` is over all rows; Caffe shuffles the files, and the rows of each",
       .why = "files are often sorted by what is in them",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase) {
             return layer.type == "HDF5Data" &&
                    layer.options.message("hdf5_data_param").flag("shuffle");
           }},
      {.subject = "WindowData",
       .what = "all windows of the foreground, and all of the background, come before one comes "
               "again; Caffe draws each anew",
       .why = "every window is seen equally often; a test needs `test_iter`, since the two walks "
              "end at different batches",
       .restores = "",
       .layer = [](const LayerSpec& layer, Phase) { return layer.type == "WindowData"; }},
      {.subject = "MemoryData",
       .what = "it takes any number of samples, and one top is enough; Caffe wants a multiple of "
               "the batch, and two tops",
       .why = "the last batch goes on with the first samples",
       .restores = "",
       .layer = [](const LayerSpec& layer, Phase) { return layer.type == "MemoryData"; }},
      {.subject = "HDF5Output",
       .what = "the batches of a whole run stand behind each other in the file, which appears when "
               "the run ends; Caffe fails at the second batch",
       .why = "it is what the layer is for",
       .restores = "",
       .layer = [](const LayerSpec& layer, Phase) { return layer.type == "HDF5Output"; }},
      {.subject = "DummyData",
       .what = "tops are filled once; Caffe draws random ones anew in every pass",
       .why = "it is for timing and tests",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase) {
             if (layer.type != "DummyData") return false;
             const std::vector<Options> fillers =
                 layer.options.message("dummy_data_param").messages("data_filler");
             return std::any_of(fillers.begin(), fillers.end(), [](const Options& filler) {
               return filler.string("type") != "constant";
             });
           }},
      {.subject = "BatchNorm",
       .what =
           "running statistics are a plain moving average, which begins at mean 0 and variance 1",
       .why = "Caffe's, a mean of all batches so far, forgets the first ones slowly; what is "
              "trained is the same",
       .restores = "`batch_norm_param { caffe_averaging: true }`",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             const Options options = layer.options.message("batch_norm_param");
             return layer.type == "BatchNorm" && phase == Phase::kTrain &&
                    !options.flag("use_global_stats") && !options.flag("caffe_averaging");
           }},
      {.subject = "Pooling, SPP",
       .what = "`pool: STOCHASTIC` runs on every device, with its own random numbers, and in phase "
               "TEST has the gradient of its mean",
       .why = "Caffe's runs on GPUs alone",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase) {
             const std::string message = layer.type == "SPP" ? "spp_param" : "pooling_param";
             return is_one_of(layer, {"Pooling", "SPP"}) &&
                    layer.options.message(message).choice("pool") == "STOCHASTIC";
           }},
      {.subject = "Power",
       .what = "where shift + scale x is 0, the gradient is the derivative; Caffe's is NaN",
       .why = "the derivative is known",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             const double power = layer.options.message("power_param").number("power");
             return layer.type == "Power" && phase == Phase::kTrain && power != 0 && power != 1 &&
                    power != 2;
           }},
      {.subject = "RNN, LSTM",
       .what = "with `expose_hidden`, the first states have gradients, and those of the last are "
               "taken; Caffe has none of either",
       .why = "a sequence can then be trained in parts",
       .restores = "`propagate_down: false` for the bottoms of first states",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             return is_one_of(layer, {"RNN", "LSTM"}) && phase == Phase::kTrain &&
                    layer.options.message("recurrent_param").flag("expose_hidden");
           }},
      {.subject = "RNN, LSTM",
       .what =
           "without `expose_hidden`, a test begins with hidden states of 0; Caffe's goes on from "
           "the last test",
       .why = "the same weights should come to the same result",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             return is_one_of(layer, {"RNN", "LSTM"}) && phase == Phase::kTest &&
                    !layer.options.message("recurrent_param").flag("expose_hidden");
           }},
      {.subject = "Normalize",
       .what =
           "the gradient is exact; that of SSD's fork is not where each channel has its own scale",
       .why = "it is simply wrong there",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase phase) {
             return layer.type == "Normalize" && phase == Phase::kTrain &&
                    !layer.options.message("norm_param").flag("channel_shared");
           }},
      {.subject = "Threshold",
       .what = "no gradient flows back; Caffe ends where one should",
       .why = "its derivative is 0 nearly everywhere",
       .restores = "",
       .layer = [](const LayerSpec& layer,
                   Phase phase) { return layer.type == "Threshold" && phase == Phase::kTrain; }},
      {.subject = "BatchReindex",
       .what = "an index that is no sample makes NaN, which ends the run; Caffe aborts",
       .why = "the run can still save what it has and name the sample",
       .restores = "",
       .layer = [](const LayerSpec& layer, Phase) { return layer.type == "BatchReindex"; }},
      {.subject = "losses of classes, Accuracy",
       .what = "a label that is no class, and is not `ignore_label`, ends the run, which names the "
               "sample",
       .why = "Caffe reads beyond its memory",
       .restores = "",
       .layer =
           [](const LayerSpec& layer, Phase) {
             return is_one_of(layer, {"SoftmaxWithLoss", "InfogainLoss", "HingeLoss",
                                      "MultinomialLogisticLoss", "Accuracy"});
           }},
      {.subject = "Accuracy",
       .what = "a score that is NaN counts against its sample",
       .why = "in Caffe a net that makes NaN alone is always right",
       .restores = "",
       .layer = [](const LayerSpec& layer, Phase) { return layer.type == "Accuracy"; }},
      {.subject = "engine",
       .what = "it has no effect",
       .why = "the device chooses its algorithms",
       .restores = "`--device`, and `--algorithm DIRECT` against Winograd",
       .layer = chooses_engine},
      {.subject = "force_backward",
       .what = "parameters with `lr_mult: 0` have no gradient; Caffe computes it",
       .why = "it would need memory for what nobody trains",
       .restores = "a small `lr_mult`, where the gradient is wanted",
       .net = [](const Options& net) { return net.flag("force_backward"); }},
      {.subject = "solver_mode",
       .what = "without it, the CPU computes; in Caffe, a GPU",
       .why = "a CPU is everywhere",
       .restores = "`solver_mode: GPU`, or `--gpu 0`",
       .solver = [](const Options& solver) { return !solver.has("solver_mode"); }},
      {.subject = "random_seed",
       .what = "without it, or below 0, it is 0; Caffe draws one",
       .why = "a run can be repeated bit for bit",
       .restores = "`--set random_seed=N`, another N for each run",
       .solver = [](const Options& solver) { return solver.integer("random_seed") < 0; }},
      {.subject = "lr_policy",
       .what = "without it, the rate is fixed; Caffe refuses the solver",
       .why = "it is what most such files mean",
       .restores = "`lr_policy: \"fixed\"` says it",
       .solver = [](const Options& solver) { return !solver.has("lr_policy"); }},
      {.subject = "test_iter",
       .what = "without it, a test walks over the whole set once, the ragged last batch included; "
               "Caffe tests nothing then, or refuses the solver",
       .why = "the result then depends on nothing but the net",
       .restores = "`test_iter: N`",
       .solver = [](const Options& solver) { return tests(solver) && !solver.has("test_iter"); }},
      {.subject = "test_iter",
       .what = "every test begins with the first sample; Caffe goes on where the last test ended",
       .why = "tests of other samples cannot be compared",
       .restores = "",
       .solver = [](const Options& solver) { return tests(solver) && solver.has("test_iter"); }},
      {.subject = "test_interval",
       .what = "there is a test after the last iteration, though it is no multiple of the interval",
       .why = "those are the weights that are used",
       .restores = "a `max_iter` that is a multiple",
       .solver =
           [](const Options& solver) {
             const int64_t interval = solver.integer("test_interval");
             return interval > 0 && solver.integer("max_iter") % interval != 0;
           }},
      {.subject = "debug_info",
       .what = "what it tells is a file of its own, `debug.jsonl` in the run's folder, and in it "
               "layers that run as one are one",
       .why = "a log of every blob hides all else",
       .restores = "",
       .solver = [](const Options& solver) { return solver.flag("debug_info"); }},
      {.subject = "test_compute_loss, layer_wise_reduce",
       .what = "they have no effect",
       .why = "tests always tell their losses, and processes always add up gradients while the "
              "backward pass goes on",
       .restores = "",
       .solver =
           [](const Options& solver) {
             return solver.has("test_compute_loss") || solver.has("layer_wise_reduce");
           }},
  };
  return all;
}

std::string row_of(const Difference& difference) {
  return text("| ", difference.subject, " | ", difference.what, " | ", difference.why, " | ",
              difference.restores.empty() ? "–" : difference.restores, " |\n");
}

}  // namespace orepa::tool
