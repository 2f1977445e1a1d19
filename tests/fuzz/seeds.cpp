// Writes the seeds of the binary formats: `fuzz_seeds FOLDER` makes FOLDER/TARGET/seed*.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "caffe_legacy.pb.h"
#include "data/sources/sample_index.h"
#include "data/sources/tar_writer.h"
#include "orepa.pb.h"
#include "orepa/weights.h"
#include "solvers/snapshot.h"
#include "tests/data/image_files.h"
#include "tests/data/sources/idx_files.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

// A view of half of it, resized, in front of every file.
void write_image_seeds(const std::string& folder) {
  int seeds = 0;
  const auto write = [&](const std::string& target, const std::string& file) {
    const std::string view{'\0',   '\x40', '\x80', '\x40', '\x80', '\x0f',
                           '\x0f', '\x08', '\x08', '\x0f', '\x0f'};
    const std::string seed = view + file;
    std::filesystem::create_directories(folder + target);
    fuzz::write_file(folder + target + "/seed" + std::to_string(seeds++),
                     reinterpret_cast<const uint8_t*>(seed.data()), seed.size());
  };
  const Extent extent{35, 45};
  for (const int64_t channels : {1, 2, 3, 4}) {
    const Image image = picture(extent, channels);
    for (const int depth : {8, 16})
      for (const bool interlaced : {false, true}) write("png", png_file(image, depth, interlaced));
    if (channels == 2) continue;
    for (const int sampling : {1, 2})
      for (const bool progressive : {false, true})
        write("jpeg", jpeg_file(image, {.horizontal = sampling,
                                        .vertical = sampling,
                                        .progressive = progressive,
                                        .restart_interval = sampling,
                                        .exif = 6}));
  }
  write("jpeg", jpeg_file(picture(extent), {.horizontal = 2, .separate = true}));
  Image indices;
  indices.resize(extent, 1);
  write("png", palette_png_file(indices, {1, 2, 3, 4, 5, 6}, 4, true));
}

// The weights of seed.caffemodel as V1 and V0 had them.
void write_old_weights(const std::string& folder) {
  NetParameter net;
  std::ifstream weights(folder + "caffemodel/seed.caffemodel", std::ios::binary);
  net.ParseFromIstream(&weights);
  for (const bool v0 : {false, true}) {
    V1NetParameter old;
    for (const LayerParameter& layer : net.layer()) {
      V1LayerParameter& written = *old.add_layers();
      if (v0) {
        written.mutable_layer()->set_name(layer.name());
        *written.mutable_layer()->mutable_blobs() = layer.blobs();
      } else {
        written.set_name(layer.name());
        *written.mutable_blobs() = layer.blobs();
      }
    }
    std::ofstream(folder + "caffemodel/seed_v" + (v0 ? "0" : "1"), std::ios::binary)
        << old.SerializeAsString();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n"), 2;
  const std::string folder = std::string(argv[1]) + "/";
  for (const char* target :
       {"caffemodel", "solverstate", "idx", "tar", "datum", "list", "sample_index", "mean"})
    std::filesystem::create_directories(folder + target);

  fuzz::SmallNet small(Phase::kTrain);
  save_weights(folder + "caffemodel/seed.caffemodel", small.spec, small.parameters);
  write_old_weights(folder);
  SnapshotState state;
  state.iteration = 1;
  state.device = small.device->description();
  const History history(small.parameters, 1);
  Snapshot(state, small.spec, small.parameters, history, false).write(folder + "solverstate/seed");
  // solverstate.cpp has its own.
  std::filesystem::remove(folder + "solverstate/seed_iter_1.caffemodel");

  const std::string labels = idx({2}, std::string(2, '\1')),
                    images = idx({2, 3, 3}, std::string(18, 'x'));
  const std::string head{'\0', '\0', static_cast<char>(labels.size())};
  const std::string pair = head + labels + images;
  fuzz::write_file(folder + "idx/seed", reinterpret_cast<const uint8_t*>(pair.data()), pair.size());
  write_image_seeds(folder);

  const auto write = [&](const char* target, const std::string& bytes) {
    fuzz::write_file(folder + target + "/seed", reinterpret_cast<const uint8_t*>(bytes.data()),
                     bytes.size());
  };
  std::string tar;
  add_tar_member(tar, "folder/1.jpg", "image");
  add_tar_member(tar, "folder/1.cls", "7");
  end_tar(tar);
  write("tar", tar);
  Datum datum;
  datum.set_channels(1);
  datum.set_height(2);
  datum.set_width(2);
  datum.set_data("abcd");
  datum.set_label(-3);
  datum.add_float_data(0.5f);
  write("datum", datum.SerializeAsString());
  write("list", "a b.jpg 1\n/c.png -2\r\n");
  SampleIndex index;
  index.states = {{"folder", 1, 2}};
  index.classes = {"cat", "dog"};
  index.names.add("cat/1.jpg");
  index.labels = {1};
  index.parts = {{512, 5, 0}};
  BlobProto mean;
  for (const int extent : {1, 3, 2, 2}) mean.mutable_shape()->add_dim(extent);
  for (int i = 0; i < 12; ++i) mean.add_data(static_cast<float>(i));
  write("mean", mean.SerializeAsString());
  // Without its checksum, which sample_index.cpp adds.
  const std::string bytes = index_bytes("source", index);
  write("sample_index", bytes.substr(0, bytes.size() - sizeof(uint32_t)));
  return 0;
}
