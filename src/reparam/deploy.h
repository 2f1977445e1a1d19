// From a training prototxt to one that stock Caffe readers load: steps on NetParameter, each on its
// own.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/model_io.h"
#include "orepa/tensor.h"

namespace orepa {

// The layers that phase TEST keeps, without include and exclude rules.
NetParameter test_layers(const NetSpec& net);

// Of how many samples the net is for use and for proofs: 1 where sources of data say how many they
// have; else 0, as many as its Inputs say. Blobs of sequences (RNN, LSTM) do not begin with
// samples, and stay as they are, too.
int64_t deploy_batch_size(const NetParameter& net);

// Sources of data become Input layers of those shapes, of their first tops and of others that
// something else reads than what measures results by them (labels). What reads any other top is
// left out, and so are losses, accuracies and the Inputs that they alone read. Throws Error where
// nothing is left.
NetParameter with_input(const NetParameter& net,
                        const std::function<Shape(const std::string&)>& shape_of);

// Turns weights that an InnerProduct has as inputs x outputs (transpose: true, which OpenCV does
// not look at). `values` are those of the parameters by LAYER/NAME.
void straighten_inner_products(NetParameter& net,
                               std::map<std::string, std::vector<float>>& values);

// OpenCV has no Bias: a learned one becomes that of a Scale, whose factors have to be 1.
void replace_biases(NetParameter& net);

// Only fields that stock readers know (OpenCV rejects a file with any other): none of ours, no
// fillers; _h and _w forms of windows that are not square. Pools have to be portable already.
NetParameter portable(const NetParameter& net);

}  // namespace orepa
