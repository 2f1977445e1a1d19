#include "io/snapshot.h"

#include <zlib.h>

#include <filesystem>

#include "io/atomic_file.h"
#include "io/positions.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/weights.h"

namespace orepa {
namespace {

uint32_t checksum(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// The end of a state's file: the checksum of all bytes before it. Of the bytes as they are, not of
// what they parse to: some bits of a message (of a long varint, say) change nothing.
std::string trailer(const std::string& bytes) {
  SolverState end;
  end.set_checksum(checksum(bytes));
  return end.SerializeAsString();
}

bool ends_with_its_checksum(const std::string& bytes) {
  const size_t size = trailer("").size();
  if (bytes.size() < size) return false;
  const std::string before = bytes.substr(0, bytes.size() - size);
  return bytes.substr(before.size()) == trailer(before);
}

void fill(const std::vector<float>& values, const Shape& shape, BlobProto& blob) {
  for (const int64_t extent : shape.extents()) blob.mutable_shape()->add_dim(extent);
  blob.mutable_data()->Add(values.begin(), values.end());
}

// Caffe's own states have no checksum, and none of our fields either.
SolverState parse(const std::string& path) {
  require(
      !path.ends_with(".caffemodel") && !path.ends_with(".prototxt"), path,
      ": is no .solverstate; give --snapshot the PREFIX_iter_N.solverstate that stands beside the "
      "weights, or the weights to --weights");
  const std::string bytes = read_file(path);
  SolverState state;
  require(state.ParseFromString(bytes) && state.has_iter(), path,
          ": is no whole .solverstate; it may have been cut off or be of another kind");
  const bool ours = state.has_checksum() || state.has_device();
  require(!ours || ends_with_its_checksum(bytes), path,
          ": is damaged (its checksum differs); take an older snapshot");
  require(state.iter() >= 0, path, ": is damaged (iteration ", state.iter(), ")");
  return state;
}

// The .caffemodel as the state names it, or else of that name beside the state.
std::string weights_of(const std::string& path, const SolverState& state) {
  const std::filesystem::path named = state.learned_net();
  const std::filesystem::path beside = std::filesystem::path(path).parent_path() / named.filename();
  if (std::filesystem::exists(beside)) return beside.string();
  require(std::filesystem::exists(named), path, ": its weights, ", named.string(),
          ", are neither there nor beside it");
  return named.string();
}

void check_weights(const std::string& path, const SolverState& state) {
  const std::string weights = weights_of(path, state);
  require(!state.has_learned_net_checksum() ||
              checksum(read_file(weights)) == state.learned_net_checksum(),
          weights, ": is damaged, or not the file that ", path,
          " was written with (its checksum differs)");
}

}  // namespace

std::string write_snapshot(const std::string& prefix, const SnapshotState& given,
                           const NetSpec& net, const Parameters& parameters,
                           const Momentum& momentum) {
  const std::string stem = text(prefix, "_iter_", given.iteration);
  const std::string weights = stem + ".caffemodel", path = stem + ".solverstate";
  save_weights(weights, net, parameters);

  SolverState state;
  state.set_iter(static_cast<int32_t>(given.iteration));
  state.set_learned_net(weights);
  state.set_seed(given.seed);
  state.set_device(given.device);
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind == Parameter::Kind::kDerived) continue;
    fill(momentum.read(*parameter), parameter->value.shape, *state.add_history());
    if (parameter->kind != Parameter::Kind::kBuffer) continue;
    BufferState* buffer = state.add_buffer();
    buffer->set_name(parameter->path());
    const std::vector<float> values = parameters.read(*parameter);
    buffer->mutable_data()->Add(values.begin(), values.end());
  }
  state.set_learned_net_checksum(checksum(read_file(weights)));
  const std::string bytes = state.SerializeAsString();
  write_atomically(path, bytes + trailer(bytes));
  return path;
}

SnapshotState read_snapshot_state(const std::string& path) {
  const SolverState state = parse(path);
  SnapshotState read;
  read.iteration = state.iter();
  read.has_seed = state.has_seed();
  read.seed = state.seed();
  read.device = state.device();
  return read;
}

void restore_snapshot(const std::string& path, Parameters& parameters, Momentum& momentum) {
  const SolverState state = parse(path);
  check_weights(path, state);
  std::vector<Parameter*> wanted;
  for (const auto& parameter : parameters.all())
    if (parameter->kind != Parameter::Kind::kDerived) wanted.push_back(parameter.get());
  require(state.history_size() == static_cast<int>(wanted.size()), path, ": holds momentum for ",
          state.history_size(), " blobs, but this net has ", wanted.size(),
          "; it belongs to another net or solver");
  for (size_t i = 0; i < wanted.size(); ++i)
    require(state.history(static_cast<int>(i)).data_size() == wanted[i]->value.count(), path,
            ": the momentum of ", wanted[i]->path(), " has ",
            state.history(static_cast<int>(i)).data_size(), " numbers, but the parameter is ",
            wanted[i]->value.shape.str());
  load_weights({weights_of(path, state)}, parameters, true);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& data = state.history(static_cast<int>(i)).data();
    momentum.write(*wanted[i], {data.begin(), data.end()});
  }
  for (const BufferState& buffer : state.buffer())
    for (Parameter* parameter : wanted)
      if (parameter->path() == buffer.name())
        parameters.write(*parameter, {buffer.data().begin(), buffer.data().end()});
}

std::string newest_snapshot(const std::string& prefix) {
  const std::filesystem::path stem = prefix;
  const std::filesystem::path folder =
      stem.parent_path().empty() ? "." : stem.parent_path().string();
  const std::string start = stem.filename().string() + "_iter_", end = ".solverstate";
  std::string newest;
  int64_t latest = -1;
  if (!std::filesystem::is_directory(folder)) return newest;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(start) || !name.ends_with(end)) continue;
    try {
      const SolverState state = parse(entry.path().string());
      if (state.iter() <= latest) continue;
      check_weights(entry.path().string(), state);
      latest = state.iter();
      newest = entry.path().string();
    } catch (const Error&) {
      continue;  // a damaged one is no candidate
    }
  }
  return newest;
}

}  // namespace orepa
