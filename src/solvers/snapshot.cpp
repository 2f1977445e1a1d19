#include "solvers/snapshot.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>

#include "core/input_file.h"
#include "io/drafts.h"
#include "io/weights/stored_blobs.h"
#include "orepa/error.h"
#include "orepa/weights.h"
#include "solvers/solver_state.h"

namespace orepa {
namespace {

void fill(const std::vector<float>& values, const Shape& shape, BlobProto& blob) {
  for (const int64_t extent : shape.extents()) blob.mutable_shape()->add_dim(extent);
  blob.mutable_data()->Add(values.begin(), values.end());
}

void require_finite(const std::vector<float>& values, const std::string& what) {
  require(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }), what,
          " is not finite");
}

constexpr std::string_view kState = ".solverstate", kWeights = ".caffemodel", kHdf5 = ".h5",
                           kAverages = "_ema.caffemodel";

bool is_state(const std::string& path) {
  return path.ends_with(kState) || path.ends_with(text(kState, kHdf5));
}

SolverState parse(const std::string& path) {
  require(is_state(path), path,
          ": is no state by its name; give --snapshot the PREFIX_iter_N.solverstate that stands "
          "beside the weights, or the weights to --weights");
  return read_solver_state(path);
}

// The .caffemodel as the state names it, or else of that name beside the state.
std::string weights_of(const std::string& path, const SolverState& state) {
  const std::filesystem::path named = state.learned_net();
  const std::filesystem::path beside = std::filesystem::path(path).parent_path() / named.filename();
  std::error_code none;  // a name that cannot be looked at (too long, say) is no file's
  if (named.has_filename() && std::filesystem::exists(beside, none)) return beside.string();
  require(std::filesystem::exists(named, none), path, ": its weights, ", named.string(),
          ", are neither there nor beside it");
  return named.string();
}

// PREFIX_iter_N_ema.caffemodel of PREFIX_iter_N.caffemodel.
std::string averages_of(std::string weights) {
  const size_t end = weights.rfind(kWeights);
  require(end != std::string::npos, weights, ": is no name of weights, so that their averages are ",
          "not found");
  return weights.replace(end, kWeights.size(), kAverages);
}

void require_checksum(const std::string& file, uint32_t wanted, const std::string& state) {
  require(checksum(read_file(file)) == wanted, file, ": is damaged, or not the file that ", state,
          " was written with (its checksum differs)");
}

void check_weights(const std::string& path, const SolverState& state) {
  const std::string weights = weights_of(path, state);
  if (state.has_learned_net_checksum())
    require_checksum(weights, state.learned_net_checksum(), path);
  if (state.has_averages_checksum())
    require_checksum(averages_of(weights), state.averages_checksum(), path);
}

using Buffers = google::protobuf::RepeatedPtrField<BufferState>;

void save(const std::string& name, const std::vector<float>& values, Buffers& buffers) {
  require_finite(values, name);
  BufferState* buffer = buffers.Add();
  buffer->set_name(name);
  buffer->mutable_data()->Add(values.begin(), values.end());
}

// Running statistics as they are.
void save(const Parameters& parameters, Buffers& buffers) {
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kBuffer)
      save(parameter->path(), parameters.read(*parameter), buffers);
}

// Weights of a file, and statistics as they were.
void load(const std::string& weights, const Buffers& buffers, Parameters& parameters) {
  load_weights({weights}, parameters, true);
  for (const BufferState& buffer : buffers)
    for (const auto& parameter : parameters.all())
      if (parameter->kind != Parameter::Kind::kDerived && parameter->path() == buffer.name())
        parameters.write(*parameter, {buffer.data().begin(), buffer.data().end()});
}

}  // namespace

Snapshot::Snapshot(const SnapshotState& taken, const NetSpec& net, const Parameters& parameters,
                   const History& history, bool hdf5, Averages* averages)
    : ending_(hdf5 ? kHdf5 : ""),
      weights_(weights_bytes(text("iter_", taken.iteration, kWeights, ending_), net, parameters)),
      state_(std::make_unique<SolverState>()) {
  require(taken.iteration <= std::numeric_limits<int32_t>::max(), "iteration ", taken.iteration,
          " is more than a .solverstate can hold");
  state_->set_iter(static_cast<int32_t>(taken.iteration));
  state_->set_seed(taken.seed);
  state_->set_device(taken.device);
  state_->set_learned_net_checksum(checksum(weights_));
  if (taken.best) {
    state_->mutable_best()->set_iteration(static_cast<int32_t>(taken.best->iteration));
    state_->mutable_best()->set_output(taken.best->output);
    state_->mutable_best()->set_value(taken.best->value);
    state_->mutable_best()->set_judged_since(static_cast<int32_t>(taken.best->judged_since));
    state_->mutable_best()->set_last_judged(static_cast<int32_t>(taken.best->last_judged));
  }
  state_->mutable_recent_loss()->Add(taken.recent_losses.begin(), taken.recent_losses.end());
  for (int block = 0; block < history.blocks(); ++block)
    for (const auto& parameter : parameters.all()) {
      if (parameter->kind == Parameter::Kind::kDerived) continue;
      const std::vector<float> values = history.read(*parameter, block);
      require_finite(values, "the momentum of " + parameter->path());
      fill(values, parameter->value.shape, *state_->add_history());
    }
  save(parameters, *state_->mutable_buffer());
  for (const auto& [name, values] : taken.states) save(name, values, *state_->mutable_state());
  if (averages == nullptr) return;
  averages->in_place([&] {
    averages_ = weights_bytes(text("iter_", taken.iteration, kAverages, ending_), net, parameters);
    state_->set_averages_checksum(checksum(averages_));
    save(parameters, *state_->mutable_averaged_buffer());
  });
}

Snapshot::~Snapshot() = default;

int64_t Snapshot::iteration() const { return state_->iter(); }

std::string Snapshot::write(const std::string& prefix) {
  const std::string stem = text(prefix, "_iter_", state_->iter());
  const std::string weights = text(stem, kWeights, ending_), path = text(stem, kState, ending_);
  state_->set_learned_net(weights);
  Drafts drafts({});
  write_atomically(drafts.draft_of(weights), weights_);
  if (state_->has_averages_checksum())
    write_atomically(drafts.draft_of(averages_of(weights)), averages_);
  write_atomically(drafts.draft_of(path), solver_state_bytes(path, *state_));
  drafts.accept();
  return path;
}

SnapshotState read_snapshot_state(const std::string& path) {
  const SolverState state = parse(path);
  SnapshotState read;
  read.iteration = state.iter();
  read.has_seed = state.has_seed();
  read.seed = state.seed();
  read.device = state.device();
  read.has_averages = state.has_averages_checksum();
  if (state.has_best())
    read.best = Best{state.best().iteration(), state.best().output(), state.best().value(),
                     state.best().judged_since(), state.best().last_judged()};
  read.recent_losses.assign(state.recent_loss().begin(), state.recent_loss().end());
  for (const BufferState& of_layer : state.state())
    read.states[of_layer.name()] = {of_layer.data().begin(), of_layer.data().end()};
  return read;
}

void restore_snapshot(const std::string& path, Parameters& parameters, History& history,
                      Averages* averages) {
  const SolverState state = parse(path);
  check_weights(path, state);
  std::vector<Parameter*> wanted;
  for (const auto& parameter : parameters.all())
    if (parameter->kind != Parameter::Kind::kDerived) wanted.push_back(parameter.get());
  const auto blobs = static_cast<int>(wanted.size());
  const int blocks = history.blocks();
  require(state.history_size() == blobs * blocks, path, ": holds momentum for ",
          state.history_size(), " blobs, but this net has ", blobs,
          blocks == 1 ? "" : text(", of each of which its solver remembers ", blocks),
          "; it belongs to another net or solver");
  // The blob in block `block` that stands for wanted[i].
  const auto stored = [&](int block, size_t i) -> const BlobProto& {
    return state.history(block * blobs + static_cast<int>(i));
  };
  for (int block = 0; block < blocks; ++block)
    for (size_t i = 0; i < wanted.size(); ++i)
      require(stored(block, i).data_size() == wanted[i]->value.count(), path, ": the momentum of ",
              wanted[i]->path(), " has ", stored(block, i).data_size(),
              " numbers, but the parameter is ", wanted[i]->value.shape.str());
  const std::string weights = weights_of(path, state);
  // Before the first update there are none yet.
  if (averages != nullptr && state.has_averages_checksum() && state.iter() > 0) {
    load(averages_of(weights), state.averaged_buffer(), parameters);
    averages->start();
  }
  load(weights, state.buffer(), parameters);
  for (int block = 0; block < blocks; ++block)
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto& data = stored(block, i).data();
      history.write(*wanted[i], block, {data.begin(), data.end()});
    }
}

std::multimap<int64_t, std::string> snapshot_files(const std::string& prefix) {
  std::multimap<int64_t, std::string> files;
  const std::string folder = folder_of(prefix),
                    start = std::filesystem::path(prefix).filename().string() + "_iter_";
  if (!std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(start)) continue;
    std::string_view rest = std::string_view(name).substr(start.size());
    int64_t iteration = 0;
    const auto [end, failure] = std::from_chars(rest.begin(), rest.end(), iteration);
    std::string_view ending(end, rest.end());
    if (ending.ends_with(kHdf5)) ending.remove_suffix(kHdf5.size());
    if (failure == std::errc() && (ending == kState || ending == kWeights || ending == kAverages))
      files.emplace(iteration, entry.path().string());
  }
  return files;
}

NewestSnapshot newest_snapshot(const std::vector<std::string>& prefixes) {
  std::multimap<int64_t, std::string, std::greater<>> states;  // the newest first
  for (const std::string& prefix : prefixes)
    for (const auto& [iteration, path] : snapshot_files(prefix))
      if (is_state(path)) states.emplace(iteration, path);
  NewestSnapshot newest;
  for (const auto& [iteration, path] : states) {
    try {
      check_weights(path, parse(path));
      newest.path = path;
      break;
    } catch (const std::exception& error) {
      newest.damaged.push_back(error.what());
    }
  }
  return newest;
}

}  // namespace orepa
