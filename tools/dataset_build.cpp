#include <filesystem>
#include <iostream>

#include "command.h"
#include "core/atomic_file.h"
#include "core/input_file.h"
#include "data/jpeg_writer.h"
#include "data/shuffle.h"
#include "dataset.h"
#include "dataset_output.h"
#include "flags.h"
#include "io/drafts.h"
#include "orepa/error.h"
#include "table.h"

DEFINE_int32(resize, 0, "shrink images whose shorter side is longer than this to it");
DEFINE_int32(longer, 0, "shrink images whose longer side is longer than this to it");
DEFINE_int32(quality, 95, "of the JPEG files that shrunk images become, 1 to 100");
DEFINE_bool(shuffle, false, "write the samples in a random order, the same each time");
DEFINE_int32(shard_size, 1000, "samples in a tar file");

namespace orepa::tool {
namespace {

namespace fs = std::filesystem;

// What an image becomes; as it is where it is small enough.
Extent shrunk(const Extent& extent) {
  const bool by_shorter = FLAGS_resize > 0;
  const int64_t side =
      by_shorter ? std::min(extent.height, extent.width) : std::max(extent.height, extent.width);
  const int64_t wanted = by_shorter ? FLAGS_resize : FLAGS_longer;
  if (wanted == 0 || side <= wanted) return extent;
  const auto scaled = [&](int64_t length) {
    return std::max<int64_t>(1, (length * wanted + side / 2) / side);
  };
  return {scaled(extent.height), scaled(extent.width)};
}

// Samples of a source as files: as they are, or shrunk. One a thread.
class Builder {
 public:
  void build(const DataSource& source, int64_t index, BuiltSample& sample) {
    try {
      if (FLAGS_resize == 0 && FLAGS_longer == 0) return copy(source, index, sample);
      reader_.open(source, index);
      const Extent extent = reader_.extent(), size = shrunk(extent);
      take(reader_.record(), sample);
      if (size == extent) return;
      reader_.decode(size, image_);
      sample.file = jpeg_bytes(image_, FLAGS_quality);
    } catch (const Error& error) {
      throw Error(with_name(source, index, error.what()) +
                  "; `orepa_tool dataset verify` lists all that cannot be read");
    }
  }

 private:
  void copy(const DataSource& source, int64_t index, BuiltSample& sample) {
    source.read(index, record_);
    take(record_, sample);
  }
  static void take(const Record& record, BuiltSample& sample) {
    require(record.kind == Record::Kind::kFile, "holds pixels; sets are built of image files");
    sample.label = record.label;
    sample.file.assign(record.content.begin(), record.content.end());
  }

  ImageReader reader_{ColorOrder::kRgb};
  Record record_;
  Image image_;
};

// What a sample is called in the set: its path without the folder that all of them lie in.
std::string name_in_set(const Dataset& dataset, int64_t index) {
  const std::string name = dataset.source->name(index);
  for (const std::string& folder : {dataset.name.source + "/", dataset.name.root_folder})
    if (name.starts_with(folder)) return name.substr(folder.size());
  return name;
}

// All that decides what is written: whoever goes on has to write the same.
std::string settings(const Dataset& dataset, const std::string& format) {
  return text("source ", dataset.name.source, "\nbackend ", dataset.name.backend, "\nsamples ",
              dataset.source->size(), "\nto ", format, "\nresize ", FLAGS_resize, "\nlonger ",
              FLAGS_longer, "\nquality ", FLAGS_quality, "\nshuffle ", FLAGS_shuffle,
              "\nshard_size ", FLAGS_shard_size, "\n");
}

// Begins with a folder, or goes on with one: a file in it says that it is not finished.
void prepare(const std::string& folder, const std::string& mark, const std::string& settings) {
  if (!fs::exists(folder)) fs::create_directories(folder);
  require(fs::is_directory(folder), folder, ": is no folder; a data set is one");
  if (fs::exists(mark)) {
    require(read_file(mark) == settings, folder, ": was begun with other settings (", mark,
            "); remove it, or say the same ones");
    return;
  }
  remove_leftovers(mark);  // of one that was killed while it began
  require(fs::is_empty(folder), folder, ": is not empty; give another --output");
  write_atomically(mark, settings);
}

void check_flags() {
  if (FLAGS_resize < 0 || FLAGS_longer < 0 || (FLAGS_resize > 0 && FLAGS_longer > 0))
    throw UsageError("give --resize or --longer, as a positive number");
  if (FLAGS_quality < 1 || FLAGS_quality > 100)
    throw UsageError("flag --quality is a number from 1 to 100");
  if (FLAGS_shard_size < 1) throw UsageError("flag --shard_size is a positive number");
}

void build() {
  check_flags();
  const std::string format = choice("to", FLAGS_to, {"lmdb", "tar"});
  const Dataset dataset = open_dataset();
  const DataSource& source = *dataset.source;
  const std::string mark = FLAGS_output + "/unfinished";
  prepare(FLAGS_output, mark, settings(dataset, format));
  const std::unique_ptr<DatasetOutput> output =
      format == "lmdb" ? lmdb_output(FLAGS_output) : tar_output(FLAGS_output, FLAGS_shard_size);

  const int64_t count = source.size(), first = std::min(output->size(), count);
  if (first > 0) std::cout << "going on behind " << grouped(first) << " samples\n";
  constexpr int64_t kAtOnce = 256;
  std::vector<BuiltSample> samples(kAtOnce);
  std::vector<Builder> builders(static_cast<size_t>(threads()));
  const Random order(0, "order of a data set");
  CountProgress progress("building", count, first);
  for (int64_t start = first; start < count; start += kAtOnce) {
    const int64_t end = std::min(start + kAtOnce, count);
    each_sample(start, end, [&](int thread, int64_t number) {
      const int64_t index = FLAGS_shuffle ? shuffled(number, count, order) : number;
      BuiltSample& sample = samples[static_cast<size_t>(number - start)];
      sample.name = name_in_set(dataset, index);
      builders[static_cast<size_t>(thread)].build(source, index, sample);
    });
    for (int64_t number = start; number < end; ++number)
      output->add(number, samples[static_cast<size_t>(number - start)]);
    progress.count(end);
  }
  output->finish();
  if (!source.classes().empty()) {
    std::string names;
    for (const std::string& name : source.classes()) names += name + "\n";
    write_atomically(FLAGS_output + "/classes.txt", names);
  }
  fs::remove(mark);
  std::cout << "written: " << FLAGS_output << ", " << grouped(count) << " samples\n";
}

const CommandRegistrar registrar({"dataset build",
                                  "write an LMDB, or tar files, of images",
                                  {"source", "output", "to"},
                                  with_source_flags({"resize", "longer", "quality", "shuffle",
                                                     "shard_size"}),
                                  build});

}  // namespace
}  // namespace orepa::tool
