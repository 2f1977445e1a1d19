#include "net_drawing.h"

#include <algorithm>
#include <map>
#include <set>

#include "orepa/error.h"

namespace orepa::tool {
namespace {

struct Kind {
  const char* color;
  std::set<std::string> types;
};

// Of light colours, so that black text is read on all of them.
const char* color_of(const Node& node) {
  static const std::vector<Kind> kinds{
      {"#f4b0a8", {"Convolution", "Deconvolution", "Im2col"}},
      {"#f0875f", {"ORepaConv"}},
      {"#d9b8ec", {"InnerProduct", "Embed", "RNN", "LSTM", "LSTMUnit"}},
      {"#f9cf8a", {"Pooling", "SPP", "Upsample", "Interp", "Reduction"}},
      {"#a9c8f0", {"BatchNorm", "BatchNormPad", "Scale", "Bias", "LRN", "MVN", "Normalize"}},
      {"#b5e0b0",
       {"ReLU", "ReLU6", "PReLU", "ELU", "Sigmoid", "TanH", "AbsVal", "BNLL", "Power", "Exp", "Log",
        "Swish", "Clip", "Threshold", "Dropout", "Softmax"}},
      {"#f3e68c", {"Eltwise", "Axpy"}},
  };
  const std::string& type = node.spec.type;
  for (const Kind& kind : kinds)
    if (kind.types.contains(type)) return kind.color;
  if (node.inputs.empty()) return "#d5d8dd";
  if (type.ends_with("Loss") || type == "Accuracy") return "#f2a3c0";
  return "#ececec";  // what moves numbers, and what nobody knows
}

// As text in a label of HTML.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '&'   ? "&amp;"
           : c == '<' ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  return out;
}

// In quotation marks.
std::string quoted_word(const std::string& text) {
  std::string out = "\"";
  for (const char c : text)
    out += c == '\n' ? "\\n" : c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return out + "\"";
}

// "3 x 3" of the fields kernel_size or kernel_h and kernel_w; empty where they say nothing else
// than `plain`.
std::string extents(const Options& options, const std::string& field, const std::string& prefix,
                    int64_t plain) {
  std::vector<int64_t> values;
  if (options.has(prefix + "_h") || options.has(prefix + "_w")) {
    values = {options.integer(prefix + "_h"), options.integer(prefix + "_w")};
  } else if (options.has(field)) {
    values = options.repeated(field) ? options.integers(field)
                                     : std::vector<int64_t>{options.integer(field)};
  }
  if (std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == plain; })) return "";
  const int64_t last = values.back();
  if (values.size() == 1) values.push_back(last);
  return text(values[0], " x ", values[1]);
}

std::string windows(const Options& options) {
  std::string words = extents(options, "kernel_size", "kernel", 0);
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) words += (words.empty() ? "" : ", ") + name + value;
  };
  const auto square = [](std::string value) {
    const size_t middle = value.find(" x ");
    const bool same = !value.empty() && value.substr(0, middle) == value.substr(middle + 3);
    return same ? value.substr(0, middle) : value;
  };
  add("stride ", square(extents(options, "stride", "stride", 1)));
  add("pad ", square(extents(options, "pad", "pad", 0)));
  return words;
}

// What the layer's fields say that one wants to see, besides its type.
std::string details(const LayerSpec& layer) {
  const std::string& type = layer.type;
  const auto message = [&](const char* name) { return layer.options.message(name); };
  if (type == "Convolution" || type == "ORepaConv" || type == "Deconvolution") {
    const Options options = message("convolution_param");
    std::string words = windows(options);
    if (options.integer("group") > 1) words += text(", ", options.integer("group"), " groups");
    if (options.has("dilation")) words += ", dilation " + text(options.integers("dilation")[0]);
    return words;
  }
  if (type == "Pooling") {
    const Options options = message("pooling_param");
    const std::string words =
        options.flag("global_pooling") ? std::string("global") : windows(options);
    return options.choice("pool") + (words.empty() ? "" : " " + words);
  }
  if (type == "Eltwise") return message("eltwise_param").choice("operation");
  if (type == "Dropout") return text(message("dropout_param").number("dropout_ratio"));
  return "";
}

// The names under which other layers may have its parameters, too.
std::string shared_names(const LayerSpec& layer) {
  std::string names;
  for (const Options& param : layer.options.messages("param"))
    if (param.has("name")) names += (names.empty() ? "param " : ", ") + param.string("name");
  return names;
}

// "kxk + avg"; of a chain, whose branches are called "0.kxk", a line for each kernel.
std::vector<std::string> sums_of(const std::vector<std::string>& branches) {
  std::vector<std::string> lines;
  std::string last;
  for (const std::string& branch : branches) {
    const size_t end = branch.rfind('.');
    const std::string kernel = end == std::string::npos ? "" : branch.substr(0, end);
    const std::string name = branch.substr(end + 1);  // all of it where there is no dot
    if (lines.empty() || kernel != last)
      lines.push_back(kernel.empty() ? name : kernel + ": " + name);
    else
      lines.back() += " + " + name;
    last = kernel;
  }
  return lines;
}

class Drawing {
 public:
  Drawing(const Graph& graph, const DrawingFacts& facts) : graph_(graph), facts_(facts) {
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const int above = in_place_of(static_cast<int>(n));
      box_.push_back(above < 0 ? static_cast<int>(n) : box_[above]);
      members_[box_.back()].push_back(static_cast<int>(n));
    }
  }

  std::string text_of(const std::string& title) const {
    std::string out =
        "digraph net {\n  label=" + quoted_word(title) +
        "\n  labelloc=t\n  fontname=\"Helvetica\"\n  fontsize=16\n  nodesep=0.35\n  ranksep=0.45\n"
        "  node [shape=plain, fontname=\"Helvetica\", fontsize=11]\n"
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#606060\", fontcolor=\"#404040\", "
        "arrowsize=0.7]\n";
    for (const auto& [box, nodes] : members_) out += box_text(box, nodes);
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      for (const int v : graph_.nodes[n].inputs) out += edge(v, static_cast<int>(n));
    for (size_t v = 0; v < graph_.values.size(); ++v)
      if (graph_.values[v].consumers.empty()) out += output(static_cast<int>(v));
    return out + "}\n";
  }

 private:
  // The node whose blob this one writes over, and which it can stand below; -1 where there is none.
  int in_place_of(int n) const {
    const Node& node = graph_.nodes[n];
    if (node.inputs.empty() || node.outputs.size() != 1) return -1;
    const Value& read = graph_.values[node.inputs[0]];
    return read.name == graph_.values[node.outputs[0]].name ? read.producer : -1;
  }

  std::string box_text(int box, const std::vector<int>& nodes) const {
    std::string out = text("  n", box,
                           " [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" "
                           "cellpadding=\"4\" color=\"#606060\">");
    for (const int n : nodes) {
      const Node& node = graph_.nodes[n];
      const std::string more = details(node.spec);
      out += text("<tr><td port=\"p", n, "\" bgcolor=\"", color_of(node), "\"><b>",
                  escaped(node.spec.name), "</b><br/>", escaped(node.spec.type),
                  more.empty() ? "" : " " + escaped(more));
      std::vector<std::string> lines;
      if (facts_.branches) lines = sums_of(facts_.branches(node.spec.name));
      lines.push_back(shared_names(node.spec));
      for (const std::string& line : lines)
        if (!line.empty()) out += "<br/><font point-size=\"9\">" + escaped(line) + "</font>";
      out += "</td></tr>";
    }
    return out + "</table>>]\n";
  }

  std::string port(int node, const char* side) const {
    const std::vector<int>& members = members_.at(box_[node]);
    // Arrows meet the box at its ends; those of a layer amidst meet its side.
    const bool at_end = *side == 'n' ? node == members.front() : node == members.back();
    return text("n", box_[node], ":p", node, ":", at_end ? side : "e");
  }

  std::string shape_label(const Value& value) const {
    std::string label = facts_.shape ? facts_.shape(value.name) : "";
    if (value.name != graph_.nodes[value.producer].spec.name &&
        value.name != graph_.nodes[box_[value.producer]].spec.name)
      label = value.name + (label.empty() ? "" : "\n" + label);
    return label;
  }

  std::string edge(int v, int reader) const {
    const Value& value = graph_.values[v];
    if (box_[value.producer] == box_[reader]) return "";
    return text("  ", port(value.producer, "s"), " -> ", port(reader, "n"),
                " [label=", quoted_word(" " + shape_label(value)), "]\n");
  }

  // What nobody reads leaves the net.
  std::string output(int v) const {
    const Value& value = graph_.values[v];
    return text("  o", v,
                " [shape=ellipse, style=filled, fillcolor=\"#ffffff\", color=\"#606060\", "
                "label=",
                quoted_word(value.name), "]\n  ", port(value.producer, "s"), " -> o", v,
                " [label=", quoted_word(" " + (facts_.shape ? facts_.shape(value.name) : "")),
                "]\n");
  }

  const Graph& graph_;
  const DrawingFacts& facts_;
  std::vector<int> box_;                     // by node: the first node of its box
  std::map<int, std::vector<int>> members_;  // by box, in order
};

}  // namespace

std::string drawing_of(const Graph& graph, const std::string& title, const DrawingFacts& facts) {
  return Drawing(graph, facts).text_of(title);
}

}  // namespace orepa::tool
