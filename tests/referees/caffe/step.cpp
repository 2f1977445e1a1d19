// How long Caffe takes for a training step of a net: caffe_step train_val.prototxt STEPS
// Prints the median in seconds. A step is a forward and a backward pass and the least of updates,
// weights less a rate times gradients; the first one is not counted.
#include <algorithm>
#include <caffe/net.hpp>
#include <chrono>
#include <cstdio>

// Weights have to stay finite: where all of a window is NaN, Caffe's pool writes before its memory.
constexpr float kRate = 1e-6f;

int main(int argc, char** argv) {
  FLAGS_minloglevel = google::WARNING;
  google::InitGoogleLogging(argv[0]);
  CHECK_EQ(argc, 3) << "caffe_step train_val.prototxt STEPS";
  caffe::Net<float> net(argv[1], caffe::TRAIN);
  std::vector<double> seconds;
  for (int step = 0; step <= std::atoi(argv[2]); ++step) {
    const auto start = std::chrono::steady_clock::now();
    net.ClearParamDiffs();
    net.ForwardBackward();
    for (caffe::Blob<float>* blob : net.learnable_params()) blob->scale_diff(kRate);
    net.Update();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  seconds.erase(seconds.begin());
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  std::printf("%g\n", seconds[seconds.size() / 2]);
}
