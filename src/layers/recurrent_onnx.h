// RNN and LSTM as nodes of ONNX, step by step: its own operators of these names know no cont.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "orepa/onnx_layer.h"

namespace orepa {

// The nodes of a step: makes of u_t (N x units D, recurrent.h) and of the states (N x D) that step
// t - 1 made, times cont_t, those of step t; the first one is h_t.
using OnnxStep = std::function<void(const std::string& u, std::vector<std::string>& states)>;

// Writes all steps, and every top but the first one; returns h_t of all steps, T N x D. Throws
// Error where the states are the net's, which a file of ONNX has none of.
std::string write_steps(const OnnxLayer& layer, size_t states, const OnnxStep& step);

// The step of an LSTM: h and cont_t c_{t-1} become h_t and c_t.
void write_lstm_step(const OnnxLayer& layer, const std::string& u,
                     std::vector<std::string>& states);

// Columns [begin, begin + count) of a matrix.
std::string onnx_columns(const OnnxLayer& layer, const std::string& matrix, int64_t begin,
                         int64_t count);

}  // namespace orepa
