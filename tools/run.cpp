#include <algorithm>
#include <iostream>

#include "command.h"
#include "engine/watch.h"
#include "flags.h"
#include "io/drafts.h"
#include "nets.h"
#include "orepa/model.h"
#include "orepa/tensor_file.h"

DEFINE_bool(backward, false, "also run the backward pass and write gradients");
DEFINE_string(blobs, "", "blobs to write besides the net's outputs, with commas between");

namespace orepa::tool {
namespace {

// The array `name` in the shape that the net wants; axes of length 1 do not count.
std::vector<float> read(const TensorFileReader& file, const std::string& name,
                        const Shape& wanted) {
  const Shape found = file.shape(name);
  require(found.squeezed() == wanted.squeezed(), file.path(), ": ", name, " is ", found.str(),
          ", but the net wants ", wanted.str());
  return file.read(name);
}

// Those of the file's arrays that Input layers take and that have another size than these say: the
// net is built for them, where its layers allow it.
std::map<std::string, Shape> other_sizes(const NetSpec& spec, const TensorFileReader& file) {
  std::map<std::string, Shape> sizes;
  for (const Options& layer : spec.layers()) {
    if (layer.string("type") != "Input") continue;
    const std::vector<Options> shapes = layer.message("input_param").messages("shape");
    const std::vector<std::string> tops = layer.strings("top");
    for (size_t top = 0; top < tops.size() && !shapes.empty(); ++top) {
      const std::string name = "/in/" + tops[top];
      if (!file.has(name)) continue;
      const Shape own(shapes[std::min(top, shapes.size() - 1)].integers("dim"));
      const Shape found = file.shape(name);
      if (found.rank() == own.rank() && found.squeezed() != own.squeezed())
        sizes.emplace(tops[top], found);
    }
  }
  return sizes;
}

// Says which tensors of the group nothing takes.
void report_unused(const TensorFileReader& file, const std::string& group,
                   const std::vector<std::string>& taken) {
  for (const std::string& name : file.names(group))
    if (std::find(taken.begin(), taken.end(), name.substr(group.size() + 1)) == taken.end())
      std::cout << file.path() << ": not used: " << name << "\n";
}

void write_parameter(TensorFileWriter& file, const std::string& group, const Parameter& parameter,
                     const std::vector<float>& values) {
  const std::string name = group + parameter.path();
  file.write(name, parameter.value.shape, values);
  file.set_attribute(name, "index", parameter.index);
}

std::vector<std::string> names_of(const std::vector<Net::Blob>& blobs) {
  std::vector<std::string> names;
  for (const Net::Blob& blob : blobs) names.push_back(blob.name);
  return names;
}

// Outputs whose gradients are given: all that are no losses.
std::vector<std::string> seeded(const Net& net) {
  std::vector<std::string> names = FLAGS_backward ? names_of(net.outputs()) : names_of({});
  std::erase_if(names, [&](const std::string& name) { return net.loss_weight(name) != 0; });
  return names;
}

// In the words of Caffe's debug_info.
void print(const Measure& measure) {
  const bool update = measure.stage == Stage::kUpdate, forward = measure.stage == Stage::kForward;
  std::cout << (forward ? "[Forward] Layer " : "[Backward] Layer ") << measure.layer
            << (update    ? ", param blob "
                : forward ? ", top blob "
                          : ", bottom blob ")
            << measure.name << (forward ? " data: " : " diff: ")
            << (forward ? measure.data : measure.gradient).value_or(0) << '\n';
}

void write_gradients(TensorFileWriter& file, Net& net, const Parameters& parameters, bool prints) {
  for (const Net::Blob& blob : net.inputs())
    file.write("/grad_in/" + blob.name, blob.shape, net.read_gradient(blob.name));
  for (const std::string& blob : split(FLAGS_blobs))
    file.write("/grad_blob/" + blob, net.shape(blob), net.read_gradient(blob));
  net.finish([&](const std::vector<Parameter*>& learned) {
    for (const Parameter* parameter : learned) {
      if (prints) print(measure(parameters.device(), *parameter));
      write_parameter(file, "/grad_param/", *parameter,
                      read_tensor(parameters.device(), parameter->gradient));
    }
  });
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kLearned && !parameter->learns())
      write_parameter(file, "/grad_param/", *parameter,
                      std::vector<float>(parameter->value.count(), 0.0f));
}

void run() {
  std::vector<std::string> files = split(FLAGS_weights);
  files.insert(files.end(), {FLAGS_model, FLAGS_input});
  require_not_read(FLAGS_output, files);
  NetOptions options = net_options(Phase::kTest);
  const NetSpec spec = NetSpec::read(FLAGS_model);
  options.keep = split(FLAGS_blobs);
  options.input_gradients = options.seed_outputs = FLAGS_backward;
  const TensorFileReader in(FLAGS_input);
  options.inputs = other_sizes(spec, in);
  const std::unique_ptr<Device> device = make_device();
  Model model(spec, *device, options);
  Net& net = model.net;
  report_precision(net);
  Parameters& parameters = model.parameters;
  load_and_report(split(FLAGS_weights), parameters);

  report_unused(in, "/in", names_of(net.inputs()));
  report_unused(in, "/grad", seeded(net));
  for (const Net::Blob& blob : net.inputs())
    net.set(blob.name, read(in, "/in/" + blob.name, blob.shape));
  const bool prints = spec.options().flag("debug_info");
  if (prints) net.watch(print);
  net.prepare();
  net.forward(0);
  net.finish_files();
  report_notes(net.take_notes());

  TensorFileWriter out;
  std::vector<std::string> written = options.keep;
  for (const Net::Blob& blob : net.outputs())
    if (std::find(written.begin(), written.end(), blob.name) == written.end())
      written.push_back(blob.name);
  for (const std::string& blob : written)
    out.write("/out/" + blob, net.shape(blob), net.read(blob));

  if (FLAGS_backward) {
    for (const std::string& blob : seeded(net))
      if (const std::string name = "/grad/" + blob; in.has(name))
        net.seed_gradient(blob, read(in, name, net.shape(blob)));
    parameters.begin_step();
    net.backward();
    write_gradients(out, net, parameters, prints);
  }
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kBuffer)
      write_parameter(out, "/buffer/", *parameter, parameters.read(*parameter));
  out.save(FLAGS_output);
}

const CommandRegistrar registrar({"run",
                                  "run a net once on tensors of a file, for checking and debugging",
                                  {"model", "input", "output"},
                                  {"weights", "weights_strict", "backward", "blobs", "phase",
                                   "level", "stage", "algorithm", "precision", "device", "gpu",
                                   "tf32"},
                                  run});

}  // namespace
}  // namespace orepa::tool
