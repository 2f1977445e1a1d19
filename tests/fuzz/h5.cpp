// HDF5 files of any content. The input says what is in the file, and HDF5 writes it: Debian's reads
// beyond its memory where its own structures are damaged, so bytes changed anywhere would try it
// and not us. The file may end anywhere.
#include <fuzzer/FuzzedDataProvider.h>
#include <hdf5.h>

#include <filesystem>

#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "solvers/snapshot.h"
#include "tests/fuzz/support.h"

using namespace orepa;

namespace {

// What is asked for by name, and what leads there.
const char* const kNames[] = {"/",
                              "/data",
                              "/data/fc",
                              "/data/fc/0",
                              "/data/fc/1",
                              "/data/conv\\3x3",
                              "/data/conv",
                              "/data/conv/3x3",
                              "/data/conv/3x3/0",
                              "/data/bn/0",
                              "/data/orepa",
                              "/data/orepa/kxk.weight",
                              "/iter",
                              "/learned_net",
                              "/current_step",
                              "/history",
                              "/history/0",
                              "/orepa",
                              "/orepa/seed",
                              "/orepa/buffer/0/name",
                              "/a//b/./c",
                              "/x"};

class Writer {
 public:
  Writer(FuzzedDataProvider& input, const std::string& path)
      : input_(input), file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    links_ = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links_, 1);
  }
  ~Writer() {
    H5Pclose(links_);
    H5Fclose(file_);
  }
  Writer(const Writer&) = delete;

  // Whatever HDF5 refuses is not in the file.
  void write_one() {
    const std::string name = any_name();
    switch (input_.ConsumeIntegralInRange(0, 6)) {
      case 0:
        H5Gclose(H5Gcreate2(file_, name.c_str(), links_, H5P_DEFAULT, H5P_DEFAULT));
        break;
      case 1:
        H5Lcreate_soft(any_name().c_str(), file_, name.c_str(), links_, H5P_DEFAULT);
        break;
      case 2:
        H5Lcreate_hard(file_, any_name().c_str(), file_, name.c_str(), links_, H5P_DEFAULT);
        break;
      case 3:
        H5Lcreate_external("other.h5", any_name().c_str(), file_, name.c_str(), links_,
                           H5P_DEFAULT);
        break;
      case 4:
        write_attribute(name);
        break;
      default:
        write_array(name);
    }
  }

 private:
  std::string any_name() {
    const bool known = input_.ConsumeIntegralInRange(0, 7) != 0;
    return known ? input_.PickValueInArray(kNames) : input_.ConsumeRandomLengthString(300);
  }

  hid_t any_type() {
    switch (input_.ConsumeIntegralInRange(0, 9)) {
      case 0:
        return H5Tcopy(H5T_IEEE_F64BE);
      case 1:
        return H5Tcopy(H5T_STD_I8LE);
      case 2:
        return H5Tcopy(H5T_STD_U64LE);
      case 3: {
        const hid_t text = H5Tcopy(H5T_C_S1);
        const bool any_length = input_.ConsumeBool();
        H5Tset_size(text,
                    any_length ? H5T_VARIABLE : input_.ConsumeIntegralInRange<size_t>(1, 1 << 17));
        return text;
      }
      case 4:
        return H5Tcreate(H5T_OPAQUE, input_.ConsumeIntegralInRange<size_t>(1, 1 << 30));
      case 5: {
        const hsize_t extent = input_.ConsumeIntegralInRange<hsize_t>(1, 1 << 20);
        return H5Tarray_create2(H5T_IEEE_F32LE, 1, &extent);
      }
      case 6:
        return H5Tvlen_create(H5T_IEEE_F32LE);
      default:
        return H5Tcopy(H5T_IEEE_F32LE);
    }
  }

  std::vector<hsize_t> any_extents() {
    std::vector<hsize_t> extents(input_.ConsumeIntegralInRange<size_t>(0, 6));
    for (hsize_t& extent : extents) {
      const int most = input_.ConsumeBool() ? 4 : input_.ConsumeIntegralInRange(0, 62);
      extent = input_.ConsumeIntegralInRange<hsize_t>(0, hsize_t{1} << most);
    }
    return extents;
  }

  static hid_t space_of(const std::vector<hsize_t>& extents) {
    return extents.empty()
               ? H5Screate(H5S_SCALAR)
               : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  }

  // No number is written: an array of any extent is but a claim.
  void write_array(const std::string& name) {
    const hid_t type = any_type(), properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::vector<hsize_t> extents = any_extents();
    const hid_t space = space_of(extents);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_LATE);
    const int layout = input_.ConsumeIntegralInRange(0, 3);
    if (layout == 1) H5Pset_layout(properties, H5D_COMPACT);
    if (layout == 2) {
      std::vector<hsize_t> chunk = any_extents();
      chunk.resize(extents.size(), 1);
      if (!chunk.empty()) H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
      if (input_.ConsumeBool()) H5Pset_deflate(properties, 6);
      if (input_.ConsumeBool()) H5Pset_shuffle(properties);
    }
    if (layout == 3) H5Pset_external(properties, "/dev/zero", 0, H5F_UNLIMITED);
    const hid_t array =
        H5Dcreate2(file_, name.c_str(), type, space, links_, properties, H5P_DEFAULT);
    const float number = input_.ConsumeFloatingPoint<float>();
    const bool few = H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == H5T_FLOAT;
    if (array >= 0 && few) H5Dwrite(array, H5T_NATIVE_FLOAT, space, space, H5P_DEFAULT, &number);
    H5Dclose(array);
    H5Sclose(space);
    H5Pclose(properties);
    H5Tclose(type);
  }

  void write_attribute(const std::string& object) {
    const hid_t type = any_type(), space = space_of(any_extents());
    const hid_t attribute = H5Acreate_by_name(file_, object.c_str(), "index", type, space,
                                              H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const int64_t number = input_.ConsumeIntegral<int64_t>();
    if (attribute >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
        H5Tget_class(type) == H5T_INTEGER)
      H5Awrite(attribute, H5T_NATIVE_INT64, &number);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }

  FuzzedDataProvider& input_;
  hid_t file_, links_;
};

void read_all(const std::string& path) {
  const TensorFileReader file(path);
  std::vector<std::string> names = file.names();
  names.insert(names.end(), std::begin(kNames), std::end(kNames));
  for (const std::string& name : names) {
    fuzz::refuses_or_does(path, [&] { file.names(name); });
    fuzz::refuses_or_does(path, [&] { file.shape(name); });
    fuzz::refuses_or_does(path, [&] { file.read(name); });
    fuzz::refuses_or_does(path, [&] { file.read_integer(name); });
    fuzz::refuses_or_does(path, [&] { file.read_text(name); });
    fuzz::refuses_or_does(path, [&] { file.has_attribute(name, "index"); });
    fuzz::refuses_or_does(path, [&] { file.number(name, "index"); });
    fuzz::refuses_or_does(path, [&] { file.string(name, "index"); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::SmallNet small(Phase::kTest);
  static const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  const std::string path = fuzz::folder() + "w.solverstate.h5";
  FuzzedDataProvider input(data, size);
  {
    Writer writer(input, path);
    const int objects = silent ? input.ConsumeIntegralInRange(0, 12) : 0;
    for (int i = 0; i < objects; ++i) writer.write_one();
  }
  if (input.ConsumeIntegralInRange(0, 15) == 0) {
    const uintmax_t whole = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, input.ConsumeIntegralInRange<uintmax_t>(0, whole));
  }
  fuzz::refuses_or_does(path, [&] { read_all(path); });
  fuzz::refuses_or_does(path, [&] { load_weights({path}, small.parameters).table(); });
  fuzz::refuses_or_does(path, [&] { read_snapshot_state(path); });
  return 0;
}
