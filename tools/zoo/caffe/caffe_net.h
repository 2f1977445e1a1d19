// CaffeNet writes a net as the nets of Caffe's own model zoo are written. What a layer has besides
// its name, type, bottoms and top is given as prototxt.
#pragma once
#include <string>
#include <vector>

#include "orepa.pb.h"

namespace orepa::zoo {

class CaffeNet {
 public:
  // A net to train and test, with data, losses and accuracies, or one for use.
  enum class File { kTrainVal, kDeploy };

  // `width`: times the published number of channels and units, for tests.
  CaffeNet(const std::string& name, File file, double width);

  bool trains() const { return file_ == File::kTrainVal; }
  int scaled(int channels) const;

  // A layer whose top has its name, which is returned.
  std::string add(const std::string& name, const std::string& type,
                  const std::vector<std::string>& bottoms, const std::string& fields = "");
  // A layer in place.
  void change(const std::string& name, const std::string& type, const std::string& blob,
              const std::string& fields = "");
  // Any layer. The reference holds until the next one is added.
  LayerParameter& layer(const std::string& name, const std::string& type,
                        const std::vector<std::string>& bottoms,
                        const std::vector<std::string>& tops, const std::string& fields = "");

  // `fields` are those of convolution_param and inner_product_param besides num_output, which is
  // scaled. A bias learns twice as fast as the weights and does not decay, as ever in Caffe.
  std::string convolution(const std::string& name, const std::string& bottom, int outputs,
                          const std::string& fields);
  std::string inner_product(const std::string& name, const std::string& bottom, int outputs,
                            const std::string& fields);
  // The same with as many outputs as there are classes, at every width.
  std::string convolution_score(const std::string& name, const std::string& bottom, int classes,
                                const std::string& fields);
  std::string inner_product_score(const std::string& name, const std::string& bottom, int classes,
                                  const std::string& fields);

  std::string max_pool(const std::string& name, const std::string& bottom, int kernel, int stride,
                       const std::string& fields = "");
  std::string average_pool(const std::string& name, const std::string& bottom, int kernel,
                           int stride);
  std::string global_average(const std::string& name, const std::string& bottom);
  void relu(const std::string& name, const std::string& blob);
  void dropout(const std::string& name, const std::string& blob, double ratio);

  // What a net is trained on: tops with their shapes, the first dimension of which is the batch. In
  // the stage "images" a source, given as the fields of a layer in phase TRAIN and in phase TEST;
  // without, made-up numbers, those of tops behind the first one a constant. For use, an Input of
  // the first `used` tops, one sample each.
  struct Top {
    std::string name;
    std::vector<int> shape;
    double value = 0;  // made up, of all but the first
  };
  struct Source {
    std::string type, train, test;
  };
  void data(const std::vector<Top>& tops, const Source& source, int used = 1);

  // SoftmaxWithLoss and accuracies, or the probabilities "prob".
  void classify(const std::string& scores, bool top5);

  const NetParameter& net() const { return net_; }
  // Of layers that are added from now on; nothing but phase TRAIN can be chosen.
  void only_in_training(bool only) { only_in_training_ = only; }

 private:
  std::string weighted(const std::string& name, const std::string& type, const std::string& bottom,
                       int outputs, const std::string& fields);

  NetParameter net_;
  File file_;
  double width_;
  bool only_in_training_ = false;
};

}  // namespace orepa::zoo
