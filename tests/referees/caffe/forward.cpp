// Caffe's outputs of a net: caffe_forward deploy.prototxt weights.caffemodel in.h5 out.h5
#include <caffe/net.hpp>
#include <caffe/util/hdf5.hpp>

// A blob's name may hold slashes, which HDF5 takes for groups.
void make_groups(hid_t file, const std::string& name) {
  for (size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
    if (const std::string group = name.substr(0, end);
        H5Lexists(file, group.c_str(), H5P_DEFAULT) == 0)
      H5Gclose(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

int main(int argc, char** argv) {
  FLAGS_minloglevel = google::WARNING;
  google::InitGoogleLogging(argv[0]);
  CHECK_EQ(argc, 5) << "caffe_forward deploy.prototxt weights.caffemodel in.h5 out.h5";
  caffe::Net<float> net(argv[1], caffe::TEST);
  net.CopyTrainedLayersFrom(argv[2]);

  const hid_t file = H5Fopen(argv[3], H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t in = H5Gopen(file, "in", H5P_DEFAULT);
  CHECK_GE(in, 0) << argv[3];
  for (const int blob : net.input_blob_indices())
    caffe::hdf5_load_nd_dataset(in, net.blob_names()[blob].c_str(), 0, INT_MAX,
                                net.blobs()[blob].get());
  net.Forward();

  const hid_t out = H5Fcreate(argv[4], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  CHECK_GE(out, 0) << argv[4];
  for (const int blob : net.output_blob_indices()) {
    make_groups(out, net.blob_names()[blob]);
    caffe::hdf5_save_nd_dataset(out, net.blob_names()[blob], *net.blobs()[blob]);
  }
  H5Fclose(out);
}
