// Rows of the harness: RNN and LSTM, with one sequence at a time as their reference.
#include <cmath>

#include "tests/layers/check_layer.h"

namespace orepa {
namespace {

using V = TestInput::Values;
using Array = std::vector<double>;

struct Sizes {
  int64_t steps, sequences, inputs, outputs;
  int64_t static_inputs = 0;
  bool exposed = false;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// matrix x, `rows` numbers; matrix is rows x columns.
Array times(const Array& matrix, int64_t rows, const double* x, int64_t columns) {
  Array y(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) y[r] += matrix[r * columns + c] * x[c];
  return y;
}

Array sum(Array a, const Array& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

// What both layers see: a step's input, from bottoms and parameters.
struct Reader {
  const Sizes& s;
  const Arrays &in, &parameters;
  int64_t units;  // numbers of u for each number of h

  double cont(int64_t t, int64_t n) const { return in[1][t * s.sequences + n]; }
  const Array& hidden_weight() const { return parameters[s.static_inputs > 0 ? 3 : 2]; }
  Array first(int state, int64_t n) const {
    if (!s.exposed) return Array(static_cast<size_t>(s.outputs));
    const Array& all = in[(s.static_inputs > 0 ? 3 : 2) + state];
    return {all.begin() + n * s.outputs, all.begin() + (n + 1) * s.outputs};
  }
  Array input(int64_t t, int64_t n, Array h) const {
    for (double& value : h) value *= cont(t, n);
    const int64_t rows = units * s.outputs;
    const double* x = in[0].data() + (t * s.sequences + n) * s.inputs;
    Array u = sum(times(parameters[0], rows, x, s.inputs), parameters[1]);
    if (s.static_inputs > 0)
      u = sum(u, times(parameters[2], rows, in[2].data() + n * s.static_inputs, s.static_inputs));
    return sum(u, times(hidden_weight(), rows, h.data(), s.outputs));
  }
};

// Writes the numbers of sequence n at step t.
void put(const Sizes& s, const Array& values, int64_t t, int64_t n, Array& to) {
  std::copy(values.begin(), values.end(), to.begin() + (t * s.sequences + n) * s.outputs);
}

Arrays outputs(const Sizes& s, int states) {
  Arrays made{Array(static_cast<size_t>(s.steps * s.sequences * s.outputs))};
  for (int k = 0; s.exposed && k < states; ++k)
    made.emplace_back(static_cast<size_t>(s.sequences * s.outputs));
  return made;
}

Arrays lstm(const Sizes& s, const Arrays& in, const Arrays& parameters) {
  const Reader reader{s, in, parameters, 4};
  Arrays made = outputs(s, 2);
  for (int64_t n = 0; n < s.sequences; ++n) {
    Array h = reader.first(0, n), c = reader.first(1, n);
    for (int64_t t = 0; t < s.steps; ++t) {
      const Array u = reader.input(t, n, h);
      for (int64_t d = 0; d < s.outputs; ++d) {
        const double i = sigmoid(u[d]), f = sigmoid(u[s.outputs + d]),
                     o = sigmoid(u[2 * s.outputs + d]), g = std::tanh(u[3 * s.outputs + d]);
        c[d] = f * reader.cont(t, n) * c[d] + i * g;
        h[d] = o * std::tanh(c[d]);
      }
      put(s, h, t, n, made[0]);
    }
    if (!s.exposed) continue;
    put(s, h, 0, n, made[1]);
    put(s, c, 0, n, made[2]);
  }
  return made;
}

Arrays rnn(const Sizes& s, const Arrays& in, const Arrays& parameters) {
  const Reader reader{s, in, parameters, 1};
  const Array &weight = parameters[parameters.size() - 2], &bias = parameters.back();
  Arrays made = outputs(s, 1);
  for (int64_t n = 0; n < s.sequences; ++n) {
    Array h = reader.first(0, n);
    for (int64_t t = 0; t < s.steps; ++t) {
      h = reader.input(t, n, h);
      for (double& value : h) value = std::tanh(value);
      Array y = sum(times(weight, s.outputs, h.data(), s.outputs), bias);
      for (double& value : y) value = std::tanh(value);
      put(s, y, t, n, made[0]);
    }
    if (s.exposed) put(s, h, 0, n, made[1]);
  }
  return made;
}

// x is T x N x `per_step`, x_static N x `per_sequence`; cont takes `values`.
LayerCase row(const std::string& name, const std::string& type, Sizes s,
              const std::vector<int64_t>& per_step, const std::vector<int64_t>& per_sequence = {},
              V values = V::kLabels) {
  const int states = type == "LSTM" ? 2 : 1;
  std::vector<int64_t> x{s.steps, s.sequences};
  x.insert(x.end(), per_step.begin(), per_step.end());
  s.inputs = Shape(per_step).count();
  LayerCase row{name, "", {{Shape(x)}, {{s.steps, s.sequences}, values, 2}}};
  if (!per_sequence.empty()) {
    s.static_inputs = Shape(per_sequence).count();
    std::vector<int64_t> x_static{s.sequences};
    x_static.insert(x_static.end(), per_sequence.begin(), per_sequence.end());
    row.inputs.push_back({Shape(x_static)});
  }
  std::string tops = "top: \"y\" ";
  for (int k = 0; s.exposed && k < states; ++k) {
    row.inputs.push_back({{1, s.sequences, s.outputs}});
    tops += text("top: \"state", k, "\" ");
  }
  row.layers = text("layer { name: \"it\" type: \"", type, "\" ", tops,
                    "recurrent_param { num_output: ", s.outputs,
                    " expose_hidden: ", s.exposed ? "true" : "false",
                    " weight_filler { type: 'gaussian' } bias_filler { value: 1 } } }");
  row.bends = true;
  row.expected = [s, states](const Arrays& in, const Arrays& parameters) {
    return states == 2 ? lstm(s, in, parameters) : rnn(s, in, parameters);
  };
  return row;
}

LayerCase lstm_unit(const std::string& name, int64_t sequences, int64_t width, V cont) {
  LayerCase row{name,
                "layer { name: \"it\" type: \"LSTMUnit\" top: \"c\" top: \"h\" }",
                {{{1, sequences, width}}, {{1, sequences, 4 * width}}, {{1, sequences}, cont, 2}}};
  row.bends = true;
  row.expected = [=](const Arrays& in, const Arrays&) {
    Arrays made(2);
    for (int64_t n = 0; n < sequences; ++n)
      for (int64_t d = 0; d < width; ++d) {
        const double* u = in[1].data() + n * 4 * width + d;
        const double i = sigmoid(u[0]), f = sigmoid(u[width]), o = sigmoid(u[2 * width]),
                     g = std::tanh(u[3 * width]);
        made[0].push_back(f * in[2][n] * in[0][n * width + d] + i * g);
        made[1].push_back(o * std::tanh(made[0].back()));
      }
    return made;
  };
  return row;
}

}  // namespace

std::vector<LayerCase> recurrent_cases() {
  std::vector<LayerCase> rows{lstm_unit("LSTMUnit", 5, 3, V::kLabels),
                              lstm_unit("LSTMUnit_one_number", 1, 1, V::kPositive)};
  for (const std::string type : {"LSTM", "RNN"}) {
    const auto add = [&](const std::string& name, const Sizes& s,
                         const std::vector<int64_t>& per_step,
                         const std::vector<int64_t>& per_sequence = {}, V values = V::kLabels) {
      rows.push_back(row(type + name, type, s, per_step, per_sequence, values));
    };
    add("", {5, 3, 0, 4}, {7});
    add("_one_number", {3, 1, 0, 1}, {});
    add("_planes", {3, 2, 0, 3}, {2, 3});
    add("_static", {4, 3, 0, 2}, {5}, {3});
    add("_static_planes", {2, 3, 0, 5}, {2}, {2, 3, 2});
    add("_exposed", {4, 3, 0, 2, 0, true}, {3});
    add("_exposed_one_step", {1, 2, 0, 3, 0, true}, {3});
    add("_exposed_static", {3, 2, 0, 3, 0, true}, {2}, {4});
    add("_cont_between", {4, 2, 0, 3, 0, true}, {3}, {}, V::kPositive);
  }
  return rows;
}

}  // namespace orepa
