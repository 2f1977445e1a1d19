#include "solvers/solver_state.h"

#include <google/protobuf/stubs/logging.h>
#include <zlib.h>

#include <iomanip>
#include <limits>

#include "core/input_file.h"
#include "orepa/error.h"
#include "orepa/tensor_file.h"

namespace orepa {
namespace {

// The end of a .solverstate. Of the bytes as they are, not of what they parse to: some bits of a
// message (of a long varint, say) change nothing.
std::string trailer(std::string_view bytes) {
  SolverState end;
  end.set_checksum(checksum(bytes));
  return end.SerializeAsString();
}

// What HDF5 does not look at stands behind its own end.
constexpr const char* kHdf5Trailer = "\norepa crc32 ";

std::string hdf5_trailer(std::string_view bytes) {
  return text(kHdf5Trailer, std::hex, std::setfill('0'), std::setw(8), checksum(bytes), '\n');
}

bool ends_with_its_checksum(std::string_view bytes, std::string (*trailer)(std::string_view)) {
  const size_t size = trailer("").size();
  return bytes.size() >= size && bytes.ends_with(trailer(bytes.substr(0, bytes.size() - size)));
}

bool is_hdf5(const std::string& path) { return path.ends_with(".h5"); }

std::string message_bytes(const std::string& path, const SolverState& state) {
  require(state.ByteSizeLong() <= std::numeric_limits<int32_t>::max(), path,
          ": would be larger than the 2 GiB that its readers accept; use snapshot_format: HDF5");
  // What shows that it is ours comes first: a file that was cut off still has it.
  SolverState ours;
  ours.set_device(state.device());
  const std::string bytes = ours.SerializeAsString() + state.SerializeAsString();
  return bytes + trailer(bytes);
}

using Buffers = google::protobuf::RepeatedPtrField<BufferState>;

void write_buffers(TensorFileWriter& file, const std::string& group, const Buffers& buffers) {
  for (int i = 0; i < buffers.size(); ++i) {
    file.write_text(text(group, "/", i, "/name"), buffers[i].name());
    file.write(text(group, "/", i, "/data"), {buffers[i].data_size()},
               {buffers[i].data().begin(), buffers[i].data().end()});
  }
}

void write_blob(TensorFileWriter& file, const std::string& name, const BlobProto& blob) {
  const auto& extents = blob.shape().dim();
  file.write(name, Shape(std::vector<int64_t>(extents.begin(), extents.end())),
             {blob.data().begin(), blob.data().end()});
}

std::string hdf5_bytes(const SolverState& state) {
  TensorFileWriter file;
  file.write_integer("/iter", state.iter(), {1});
  file.write_text("/learned_net", state.learned_net());
  file.write_integer("/current_step", state.current_step(), {1});
  for (int i = 0; i < state.history_size(); ++i)
    write_blob(file, text("/history/", i), state.history(i));
  file.write_integer("/orepa/seed", static_cast<int64_t>(state.seed()));
  file.write_text("/orepa/device", state.device());
  file.write_integer("/orepa/learned_net_checksum", state.learned_net_checksum());
  write_buffers(file, "/orepa/buffer", state.buffer());
  write_buffers(file, "/orepa/state", state.state());
  if (state.has_averages_checksum()) {
    file.write_integer("/orepa/averages_checksum", state.averages_checksum());
    write_buffers(file, "/orepa/averaged_buffer", state.averaged_buffer());
  }
  if (state.has_best()) {
    file.write_integer("/orepa/best/iteration", state.best().iteration());
    file.write_text("/orepa/best/output", state.best().output());
    file.write("/orepa/best/value", {1}, {state.best().value()});
    file.write_integer("/orepa/best/judged_since", state.best().judged_since());
    file.write_integer("/orepa/best/last_judged", state.best().last_judged());
  }
  if (state.recent_loss_size() > 0)
    file.write_doubles("/orepa/recent_loss",
                       {state.recent_loss().begin(), state.recent_loss().end()});
  const std::string bytes = file.bytes();
  return bytes + hdf5_trailer(bytes);
}

void read_blob(const TensorFileReader& file, const std::string& name, BlobProto& blob) {
  const std::vector<int64_t> extents = file.shape(name).extents();
  const std::vector<float> values = file.read(name);
  blob.mutable_shape()->mutable_dim()->Add(extents.begin(), extents.end());
  blob.mutable_data()->Add(values.begin(), values.end());
}

void read_buffers(const TensorFileReader& file, const std::string& group, Buffers& buffers) {
  for (int i = 0; file.has(text(group, "/", i)); ++i) {
    BufferState* buffer = buffers.Add();
    buffer->set_name(file.read_text(text(group, "/", i, "/name")));
    const std::vector<float> values = file.read(text(group, "/", i, "/data"));
    buffer->mutable_data()->Add(values.begin(), values.end());
  }
}

SolverState read_hdf5(const std::string& path) {
  const TensorFileReader file(path);
  SolverState state;
  const auto iteration = file.read_integer("/iter"), step = file.read_integer("/current_step");
  state.set_iter(static_cast<int32_t>(iteration));
  require(state.iter() == iteration, path, ": is damaged (iteration ", iteration, ")");
  state.set_current_step(static_cast<int32_t>(step));
  state.set_learned_net(file.read_text("/learned_net"));
  const size_t history = file.names("/history").size();
  for (size_t i = 0; i < history; ++i) read_blob(file, text("/history/", i), *state.add_history());
  if (!file.has("/orepa")) return state;
  state.set_seed(static_cast<uint64_t>(file.read_integer("/orepa/seed")));
  state.set_device(file.read_text("/orepa/device"));
  state.set_learned_net_checksum(
      static_cast<uint32_t>(file.read_integer("/orepa/learned_net_checksum")));
  if (file.has("/orepa/best")) {
    BestSnapshot* best = state.mutable_best();
    best->set_iteration(static_cast<int32_t>(file.read_integer("/orepa/best/iteration")));
    best->set_output(file.read_text("/orepa/best/output"));
    const std::vector<float> value = file.read("/orepa/best/value");
    require(value.size() == 1, path, ": is damaged (/orepa/best/value)");
    best->set_value(value[0]);
    // Absent in older files.
    if (file.has("/orepa/best/judged_since")) {
      best->set_judged_since(static_cast<int32_t>(file.read_integer("/orepa/best/judged_since")));
      best->set_last_judged(static_cast<int32_t>(file.read_integer("/orepa/best/last_judged")));
    }
  }
  read_buffers(file, "/orepa/buffer", *state.mutable_buffer());
  read_buffers(file, "/orepa/state", *state.mutable_state());
  if (file.has("/orepa/averages_checksum")) {
    state.set_averages_checksum(
        static_cast<uint32_t>(file.read_integer("/orepa/averages_checksum")));
    read_buffers(file, "/orepa/averaged_buffer", *state.mutable_averaged_buffer());
  }
  if (file.has("/orepa/recent_loss")) {
    const std::vector<double> losses = file.read_doubles("/orepa/recent_loss");
    state.mutable_recent_loss()->Add(losses.begin(), losses.end());
  }
  return state;
}

}  // namespace

uint32_t checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string solver_state_bytes(const std::string& path, const SolverState& state) {
  return is_hdf5(path) ? hdf5_bytes(state) : message_bytes(path, state);
}

SolverState read_solver_state(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::string damaged = path + ": is damaged (its checksum differs); take an older snapshot";
  SolverState state;
  if (is_hdf5(path)) {
    const size_t end = bytes.rfind(kHdf5Trailer);
    const bool ours = end != std::string::npos && bytes.size() - end <= hdf5_trailer("").size();
    require(!ours || ends_with_its_checksum(bytes, hdf5_trailer), damaged);
    state = read_hdf5(path);
    require(ours || !state.has_device(), damaged);
  } else {
    const google::protobuf::LogSilencer silence;  // a text that is not UTF-8 is reported to stderr
    require(state.ParseFromString(bytes) && state.has_iter(), path,
            ": is no whole .solverstate; it may have been cut off or be of another kind");
    const bool ours = state.has_checksum() || state.has_device();
    require(!ours || ends_with_its_checksum(bytes, trailer), damaged);
  }
  require(state.iter() >= 0, path, ": is damaged (iteration ", state.iter(), ")");
  return state;
}

}  // namespace orepa
