#include "flags.h"

#include <algorithm>
#include <sstream>

#include "command.h"
#include "orepa/error.h"

DEFINE_string(model, "", "prototxt of the net");
DEFINE_string(weights, "",
              "weight files (.caffemodel, .h5) with commas between, the last one wins");
DEFINE_bool(weights_strict, false, "missing, unused and misshapen weights are errors");
DEFINE_int32(iterations, 0, "how many iterations; 0: 10 for time, the whole set for test");
DEFINE_string(phase, "", "TRAIN or TEST: which layers are in the net");
DEFINE_int32(level, 0, "the NetState's level, for include and exclude rules");
DEFINE_string(stage, "", "the NetState's stages, with commas between");
DEFINE_string(algorithm, "AUTO",
              "AUTO, or DIRECT to keep Winograd convolutions out for the smaller rounding error");
DEFINE_string(device, "", "cpu, or cuda:0, cuda:1, ...; default: as the solver says, else cpu");
DEFINE_string(gpu, "",
              "N is --device cuda:N, as in Caffe; of several, 0,1,2 or all, each rank takes one");
DEFINE_bool(tf32, false, "on a GPU, let float32 products round their factors to TF32");
DEFINE_bool(cuda_graph, false,
            "on a GPU, record the work of a step once and launch it as CUDA graphs");
DEFINE_double(rank_timeout, 600,
              "seconds after which a rank that the others wait for has failed (docs/scaling.md)");
DEFINE_string(precision, "",
              "FLOAT32, or BF16 to store activations in bfloat16; default: as the net says");
DEFINE_string(
    input, "",
    "HDF5 file to read: for run with /in/BLOB and, for --backward, /grad/BLOB; for import "
    "a state_dict");
DEFINE_string(output, "", "file to write; of dataset build: a folder");
DEFINE_string(output_weights, "",
              "where the weights for it go: .caffemodel or .h5; not with --to onnx");
DEFINE_string(to, "",
              "format to write: orepa-pytorch (export); caffe, the default, or onnx (convert); "
              "lmdb or tar (dataset "
              "build)");
DEFINE_bool(json, false, "print JSON instead of tables");

namespace orepa::tool {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');)
    if (!word.empty()) words.push_back(word);
  return words;
}

const std::string& choice(const char* flag, const std::string& value,
                          const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    std::string known;
    for (const std::string& entry : choices) known += (known.empty() ? "" : " or ") + entry;
    throw UsageError(text("flag --", flag, " is \"", value, "\"; it can be ", known));
  }
  return value;
}

int64_t iterations(int64_t absent) {
  if (FLAGS_iterations < 0) throw UsageError("--iterations must be positive");
  return FLAGS_iterations > 0 ? FLAGS_iterations : absent;
}

namespace {

// The device of --gpu: of several GPUs, that of the rank's number among those of its machine.
std::string gpu_device(const Communicator* ranks) {
  if (!FLAGS_device.empty()) throw UsageError("--gpu and --device say the same: give one");
  const bool all = FLAGS_gpu == "all";
  const bool numbers = FLAGS_gpu.find_first_not_of("0123456789,") == std::string::npos;
  const std::vector<std::string> gpus = split(FLAGS_gpu);
  if (gpus.empty() || !(numbers || all))
    throw UsageError("flag --gpu is \"" + FLAGS_gpu +
                     "\"; it can be the number of a GPU, several with commas between, or all");
  if (numbers && gpus.size() == 1) return "cuda:" + gpus[0];
  require(ranks != nullptr, "--gpu ", FLAGS_gpu, ": each GPU has a process of its own; run `mpirun",
          " -np ", numbers ? text(gpus.size()) : "N", " orepa_tool train ... --gpu ", FLAGS_gpu,
          "`, or give one GPU, as in --gpu ", numbers ? gpus[0] : "0");
  const auto place = static_cast<size_t>(ranks->local_rank());
  if (all) return text("cuda:", place);
  require(ranks->local_size() <= static_cast<int>(gpus.size()), "--gpu ", FLAGS_gpu, ": ",
          ranks->local_size(), " processes on this machine have ", gpus.size(),
          " GPUs; give each one of its own");
  return "cuda:" + gpus[place];
}

}  // namespace

std::unique_ptr<Device> make_device(const std::string& absent, bool tf32,
                                    const Communicator* ranks) {
  DeviceOptions options;
  if (choice("algorithm", FLAGS_algorithm, {"AUTO", "DIRECT"}) == "DIRECT")
    options.algorithm = Algorithm::kDirect;
  options.tf32 = FLAGS_tf32 || tf32;
  if (!FLAGS_gpu.empty()) return orepa::make_device(gpu_device(ranks), options);
  return orepa::make_device(FLAGS_device.empty() ? absent : FLAGS_device, options);
}

NetOptions net_options(Phase default_phase) {
  NetOptions options;
  options.phase = default_phase;
  if (!FLAGS_phase.empty())
    options.phase =
        choice("phase", FLAGS_phase, {"TRAIN", "TEST"}) == "TRAIN" ? Phase::kTrain : Phase::kTest;
  if (!FLAGS_precision.empty())
    options.precision = choice("precision", FLAGS_precision, {"FLOAT32", "BF16"}) == "BF16"
                            ? DType::kBFloat16
                            : DType::kFloat32;
  options.level = FLAGS_level;
  options.stages = split(FLAGS_stage);
  return options;
}

}  // namespace orepa::tool
