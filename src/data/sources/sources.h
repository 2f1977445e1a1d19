// The sources, one file each. All throw Error, which names the file, where there is no sample or
// where they cannot be opened. An empty `index` keeps none (sample_index.h).
#pragma once
#include <memory>
#include <string>

#include "orepa/data_source.h"

namespace orepa {

// A folder of classes, each a folder with JPEG and PNG files, at any depth. Labels count the
// classes in the order of their bytes, files come in that order too. Links are followed; what
// begins with a dot is passed over.
std::unique_ptr<DataSource> open_folder(const std::string& folder, const std::string& index);

// Caffe's list of images: lines "path label", with the label behind the last space. `root` stands
// before every path.
std::unique_ptr<DataSource> open_list(const std::string& list, const std::string& root);

// A database of Caffe's Datum messages, which is only read: its folder may be read-only.
std::unique_ptr<DataSource> open_lmdb(const std::string& folder);
std::unique_ptr<DataSource> open_leveldb(const std::string& folder, const std::string& index);
// Of the libraries; empty where the program was built without.
std::string lmdb_version();
std::string leveldb_version();

// Tar files of WebDataset's naming: KEY.jpg, KEY.jpeg or KEY.png, and its label as text in KEY.cls,
// next to each other. `shards` is one file, a folder of *.tar, or a pattern with {000..099}, {a,b},
// * and ?.
std::unique_ptr<DataSource> open_tar(const std::string& shards, const std::string& index,
                                     bool labels);

// An HDF5 file with `data`, unsigned bytes, N x C x H x W or N x H x W, and `label`, integers, N.
std::unique_ptr<DataSource> open_hdf5(const std::string& path, bool labels);

}  // namespace orepa
