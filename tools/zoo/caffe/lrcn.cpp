// LRCN (Donahue et al., CVPR 2015) for captions: CaffeNet says what an image shows, and an LSTM,
// which sees that and the previous word, says the next one.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {

void write_lrcn(CaffeNet& net) {
  constexpr int kTime = 20, kCaptions = 4, kWords = 8801;
  const std::string uniform = "weight_filler { type: 'uniform' min: -0.08 max: 0.08 }";
  const std::string source =
      text("hdf5_data_param { batch_size: ", kCaptions, " source: 'coco_caption/");
  // Times first, as LSTM wants them: word, and whether it goes on with the caption before.
  if (net.trains()) {
    net.data({{"data", {kCaptions, 3, 227, 227}},
              {"cont_sentence", {kTime, kCaptions}, 1},
              {"input_sentence", {kTime, kCaptions}, 3},
              {"target_sentence", {kTime, kCaptions}, 5}},
             {"HDF5Data", source + "train.txt' }", source + "val.txt' }"});
  } else {
    net.data({{"data", {1, 3, 227, 227}}, {"cont_sentence", {1, 1}}, {"input_sentence", {1, 1}}},
             {}, 3);
  }
  const std::string image = add_caffenet(net, "data");
  const std::string words =
      net.add("embedding", "Embed", {"input_sentence"},
              text("param { lr_mult: 1 } embed_param { bias_term: false input_dim: ", kWords,
                   " num_output: ", net.scaled(1000), " ", uniform, " }"));
  const std::string said = net.add("lstm1", "LSTM", {words, "cont_sentence", image},
                                   text("recurrent_param { num_output: ", net.scaled(1000), " ",
                                        uniform, " bias_filler { type: 'constant' } }"));
  const std::string next = net.inner_product_score(
      "predict", said, kWords, "axis: 2 " + uniform + " bias_filler { type: 'constant' }");
  if (!net.trains()) {
    net.add("probs", "Softmax", {next}, "softmax_param { axis: 2 }");
    return;
  }
  net.add("cross_entropy_loss", "SoftmaxWithLoss", {next, "target_sentence"},
          "loss_weight: 20 loss_param { ignore_label: -1 } softmax_param { axis: 2 }");
  net.add("accuracy", "Accuracy", {next, "target_sentence"},
          "include { phase: TEST } accuracy_param { axis: 2 ignore_label: -1 }");
}

}  // namespace orepa::zoo
