// orepa_tool as a process, for tests of what it says and how it ends.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/input_file.h"
#include "tests/data/sources/idx_files.h"
#include "tests/files.h"

namespace orepa {

constexpr int kDone = 0, kFailed = 1, kUsage = 2, kStopped = 3;

class ToolTest : public testing::Test {
 protected:
  // Starts the tool; what it prints, errors included, goes to a file, but what it prints on stdout
  // to the file `out` where that is one.
  pid_t start(const std::vector<std::string>& words, int out = -1) {
    std::filesystem::remove(folder_ + "output");
    const pid_t child = fork();
    if (child != 0) return child;
    // Who started the tests with nohup, or beside other things, ignores some, and the tool would
    // too.
    for (const int number : {SIGINT, SIGHUP, SIGTERM}) signal(number, SIG_DFL);
    if (freopen((folder_ + "output").c_str(), "w", stdout) == nullptr || dup2(1, 2) < 0) _exit(99);
    if (out >= 0 && dup2(out, 1) < 0) _exit(99);
    // HDF5 leaks a little when it refuses a file; under AddressSanitizer that would change the exit
    // code.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    for (const std::string& variable : environment_) putenv(const_cast<char*>(variable.c_str()));
    const std::string tool = tool_path();
    std::vector<char*> arguments = {const_cast<char*>(tool.c_str())};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(tool.c_str(), arguments.data());
    _exit(99);
  }
  int wait(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    output_ = read_file(folder_ + "output");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int run(const std::vector<std::string>& words) { return wait(start(words)); }
  // Whether the running tool prints this within a minute.
  bool prints(const std::string& words) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (std::chrono::steady_clock::now() < deadline) {
      const std::string path = folder_ + "output";
      if (std::filesystem::exists(path) && read_file(path).find(words) != std::string::npos)
        return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  std::string file(const std::string& name, const std::string& content) {
    write_file(folder_ + name, content);
    return folder_ + name;
  }

  // 70 images of 8 x 8 in two classes, dark and bright, and a small OREPA net on them.
  void make_task(int64_t iterations) {
    std::string pixels, labels;
    for (int image = 0; image < 70; ++image) {
      for (int p = 0; p < 64; ++p)
        pixels += static_cast<char>((image % 2 == 0 ? 20 : 200) + (image * 7 + p * 3) % 40);
      labels += static_cast<char>(image % 2);
    }
    file("images", idx({70, 8, 8}, pixels));
    file("labels", idx({70}, labels));
    net_ = file("net.prototxt", R"(
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { mean_value: 110 scale: 0.01 }
  data_param { backend: IDX batch_size: 16 source: ")" +
                                    folder_ + R"(images"
               label_source: ")" + folder_ +
                                    R"(labels" } }
layer { name: "conv" type: "ORepaConv" bottom: "data" top: "conv"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 bias_term: false }
  orepa_param { preset: OREPA } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv"
  batch_norm_param { moving_average_fraction: 0.8 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
)");
    solver_ =
        file("solver.prototxt", "net: \"" + net_ +
                                    "\" base_lr: 0.05 momentum: 0.9 lr_policy: \"fixed\" "
                                    "snapshot_prefix: \"" +
                                    folder_ + "snap\" max_iter: " + std::to_string(iterations));
  }

  std::string folder_ = test_folder();
  std::string output_, net_, solver_;
  std::vector<std::string> environment_;  // of the tool alone: NAME=value, or NAME to have none
};

#define EXPECT_SAYS(part) \
  EXPECT_NE(output_.find(part), std::string::npos) << "it said:\n" << output_

}  // namespace orepa
