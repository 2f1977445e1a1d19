#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>
#include <sstream>

#include "command.h"
#include "command_line.h"
#include "core/input_file.h"
#include "engine/graph.h"
#include "flags.h"
#include "image_layer.h"
#include "input_images.h"
#include "json.h"
#include "nets.h"
#include "orepa/model.h"
#include "table.h"

DEFINE_string(labels, "", "text file with the name of a class a line; default: their numbers");
DEFINE_string(transform, "",
              "prototxt of a TransformationParameter: what happens to images before the net");
DEFINE_string(train_val, "",
              "prototxt of the net as it was trained, for the transform_param of its Data or "
              "ImageData layer of phase TEST");

namespace orepa::tool {
namespace {

constexpr size_t kTop = 5;
constexpr int64_t kMostImages = 32;  // at a time

struct Transforms {
  Options transform_param;
  Loading loading;
};

Transforms transforms() {
  if (FLAGS_transform.empty() == FLAGS_train_val.empty())
    throw UsageError(
        "say how images become inputs of the net: --train_val F, the net as it was trained, or "
        "--transform F, a prototxt of a TransformationParameter (mean_value, scale, crop_size, "
        "...); one of them");
  if (!FLAGS_transform.empty()) {
    // On the lines that the file has.
    const std::string layer =
        "layer { name: \"images\" type: \"Data\" transform_param { " + read_file(FLAGS_transform);
    return {NetSpec::parse(layer + "\n} }", FLAGS_transform).layers()[0].message("transform_param"),
            {}};
  }
  const auto layer = image_layer(NetSpec::read(FLAGS_train_val), net_options(Phase::kTest));
  require(layer.has_value(), FLAGS_train_val,
          ": has no layer of type Data or ImageData in its phase TEST; give --transform");
  Transforms found{layer->options.message("transform_param"), {}};
  if (layer->type == "ImageData") {
    const Options data = layer->options.message("image_data_param");
    found.loading.size = {data.integer("new_height"), data.integer("new_width")};
    found.loading.gray = !data.flag("is_color");
  }
  return found;
}

std::vector<std::string> labels() {
  std::vector<std::string> names;
  if (FLAGS_labels.empty()) return names;
  std::istringstream lines(read_file(FLAGS_labels));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    names.push_back(line);
  }
  return names;
}

struct Guess {
  int64_t label = 0;
  double probability = 0;
};

// The likeliest classes, the likeliest first.
std::vector<Guess> guesses(const float* scores, int64_t classes, bool probabilities) {
  std::vector<double> shares(scores, scores + classes);
  if (!probabilities) {
    const double most = *std::max_element(shares.begin(), shares.end());
    for (double& share : shares) share = std::exp(share - most);
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) share /= sum;
  }
  std::vector<Guess> all;
  for (int64_t c = 0; c < classes; ++c) all.push_back({c, shares[static_cast<size_t>(c)]});
  const size_t count = std::min(kTop, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<int64_t>(count), all.end(),
                    [](const Guess& a, const Guess& b) {
                      return a.probability != b.probability ? a.probability > b.probability
                                                            : a.label < b.label;
                    });
  all.resize(count);
  return all;
}

struct Result {
  std::string image, error;  // empty where nothing is wrong
  std::vector<Guess> guesses;
};

class Classifier {
 public:
  Classifier(const NetSpec& spec, Device& device, const NetOptions& options)
      : model_(spec, device, options) {
    const std::vector<Net::Blob>&in = model_.net.inputs(), &out = model_.net.outputs();
    require(in.size() == 1 && in[0].shape.rank() == 4 && out.size() == 1, spec.name(), ": has ",
            in.size(), " inputs and ", out.size(), " outputs; to classify images a net has one ",
            "Input of N x C x H x W and one output: the deploy.prototxt that `orepa_tool convert` ",
            "writes");
    input_ = in[0];
    output_ = out[0].name;
    classes_ = out[0].shape.count() / std::max<int64_t>(1, input_.shape[0]);
    const Graph graph = build_graph(spec, {Phase::kTest, options.level, options.stages});
    const int value = graph.find(output_);
    probabilities_ = graph.nodes[graph.values[value].producer].spec.type == "Softmax";
  }

  Model& model() { return model_; }
  int64_t classes() const { return classes_; }
  Shape image() const { return {input_.shape[1], input_.shape[2], input_.shape[3]}; }

  // Of images that lie behind each other in Caffe's order.
  std::vector<std::vector<Guess>> classify(const std::vector<float>& images) {
    const int64_t count = static_cast<int64_t>(images.size()) / image().count();
    Shape shape{count, input_.shape[1], input_.shape[2], input_.shape[3]};
    const Blobs outputs = model_.run({{input_.name, images}}, {{input_.name, shape}});
    const std::vector<float>& scores = outputs.at(output_);
    std::vector<std::vector<Guess>> found;
    for (int64_t n = 0; n < count; ++n)
      found.push_back(guesses(scores.data() + n * classes_, classes_, probabilities_));
    return found;
  }

 private:
  Model model_;
  Net::Blob input_;
  std::string output_;
  int64_t classes_ = 0;
  bool probabilities_ = false;
};

std::vector<Result> results(Classifier& classifier, InputImages& images) {
  std::vector<Result> all;
  std::vector<float> batch;
  std::vector<size_t> waiting;  // of `all`, the images of the batch
  for (int64_t i = 0; i < images.size(); ++i) {
    all.push_back({operands()[static_cast<size_t>(i)], "", {}});
    try {
      const std::vector<float> image = images.read(i);
      batch.insert(batch.end(), image.begin(), image.end());
      waiting.push_back(all.size() - 1);
    } catch (const Error& error) {
      all.back().error = error.what();
    }
    if (waiting.empty() ||
        (i + 1 < images.size() && static_cast<int64_t>(waiting.size()) < kMostImages))
      continue;
    std::vector<std::vector<Guess>> found = classifier.classify(batch);
    for (size_t n = 0; n < waiting.size(); ++n) all[waiting[n]].guesses = std::move(found[n]);
    batch.clear();
    waiting.clear();
  }
  return all;
}

std::string name_of(int64_t label, const std::vector<std::string>& names) {
  return names.empty() ? std::to_string(label) : names[static_cast<size_t>(label)];
}

std::string json(const std::vector<Result>& results, const std::vector<std::string>& names) {
  std::vector<std::string> items;
  for (const Result& result : results) {
    JsonObject item;
    item.add("image", result.image);
    if (!result.error.empty()) {
      items.push_back(item.add("error", result.error).str());
      continue;
    }
    std::vector<std::string> classes;
    for (const Guess& guess : result.guesses)
      classes.push_back(JsonObject()
                            .add("label", guess.label)
                            .add("name", name_of(guess.label, names))
                            .add("probability", guess.probability)
                            .str());
    items.push_back(item.add_json("classes", json_list(classes)).str());
  }
  return json_list(items) + "\n";
}

std::string table(const std::vector<Result>& results, const std::vector<std::string>& names) {
  Table table({"image", "class", "probability"}, 2);
  for (const Result& result : results)
    for (size_t g = 0; g < result.guesses.size(); ++g)
      table.add({g == 0 ? result.image : "", name_of(result.guesses[g].label, names),
                 decimals(result.guesses[g].probability, 4)});
  return table.str();
}

void classify() {
  const Transforms what = transforms();
  const std::vector<std::string> names = labels();
  const NetSpec spec = NetSpec::read(FLAGS_model);
  const std::unique_ptr<Device> device = make_device();
  NetOptions options = net_options(Phase::kTest);
  options.weights_change_every_pass = false;
  Classifier classifier(spec, *device, options);
  report_precision(classifier.model().net);
  load_and_report(split(FLAGS_weights), classifier.model().parameters, true, std::cerr);
  require(names.empty() || static_cast<int64_t>(names.size()) == classifier.classes(), FLAGS_labels,
          ": has ", names.size(), " lines, but the net has ", classifier.classes(), " classes");
  InputImages images(operands(), what.transform_param, what.loading, classifier.image());

  const std::vector<Result> all = results(classifier, images);
  std::cout << (FLAGS_json ? json(all, names) : table(all, names)) << std::flush;
  int64_t broken = 0;
  for (const Result& result : all) {
    if (result.error.empty()) continue;
    ++broken;
    std::cerr << "orepa_tool: " << result.error << '\n';
  }
  require(broken == 0, broken, " of ", all.size(), " images could not be classified (see above)");
}

const CommandRegistrar registrar({"classify",
                                  "say what is in images: the likeliest classes of each",
                                  {"model", "weights"},
                                  {"labels", "transform", "train_val", "json", "weights_strict",
                                   "level", "stage", "algorithm", "precision", "device", "gpu",
                                   "tf32"},
                                  classify,
                                  {},
                                  "IMAGE..."});

}  // namespace
}  // namespace orepa::tool
