#include "solvers/snapshot.h"

#include <omp.h>

#include <cmath>
#include <filesystem>

#include "core/input_file.h"
#include "orepa.pb.h"
#include "orepa/tensor_file.h"
#include "tests/comparison.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/io/caffe_files.h"
#include "tests/training.h"

namespace orepa {
namespace {

// Everything that a resume could get wrong: shuffled data with a ragged epoch, statistics whose
// factor is still growing and steady ones, dropout, branches, momentum, a rate that changes.
std::string solver_text(const std::string& folder) {
  std::string pixels, labels;
  for (int n = 0; n < 14; ++n) {
    for (int i = 0; i < 36; ++i) pixels += static_cast<char>((n * 37 + i * i * 11 + 5) % 251);
    labels += static_cast<char>(n % 3);
  }
  write_file(folder + "a-images-idx3-ubyte", idx({14, 6, 6}, pixels));
  write_file(folder + "a-labels-idx1-ubyte", idx({14}, labels));
  return text(R"(net_param {
    layer { name: "data" type: "Data" top: "x" top: "label"
            transform_param { scale: 0.01 mirror: true }
            data_param { source: ")",
              folder, R"(a-images-idx3-ubyte" backend: IDX batch_size: 4 } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 bias_term: false }
            orepa_param { preset: OREPA } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv"
            batch_norm_param { caffe_averaging: true } }
    layer { name: "scale" type: "Scale" bottom: "conv" top: "conv"
            scale_param { bias_term: true } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "conv2" type: "Convolution" bottom: "conv" top: "conv2"
            param { lr_mult: 0 }
            convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "msra" } } }
    layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "conv2"
            batch_norm_param { moving_average_fraction: 0.9 } }
    layer { name: "drop" type: "Dropout" bottom: "conv2" top: "conv2" }
    layer { name: "ip" type: "InnerProduct" bottom: "conv2" top: "ip"
            inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
    base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 4 momentum: 0.9 weight_decay: 0.01
    max_iter: 6 iter_size: 2 random_seed: 7 snapshot_prefix: ")",
              folder, "run\"\n");
}

std::string weights_of(std::string state) {
  const std::string ending = ".solverstate";
  return state.replace(state.rfind(ending), ending.size(), ".caffemodel");
}

std::string averages_of(const std::string& state) {
  std::string weights = weights_of(state);
  return weights.insert(weights.rfind(".caffemodel"), "_ema");
}

const char* const kFormats[] = {"snapshot_format: BINARYPROTO ", "snapshot_format: HDF5 "};

std::string resume_error(const std::string& solver, const std::string& snapshot) {
  return error_of([&] { Training run(solver, resuming(snapshot)); });
}

TEST(Snapshot, AResumedRunEqualsAnUninterruptedOneBitForBit) {
  for (const std::string more : {"type: 'Nesterov' ", kFormats[0], kFormats[1]}) {
    const std::string solver = solver_text(test_folder()) + more;
    Training whole(solver);
    std::vector<double> losses;
    for (int i = 0; i < 6; ++i) losses.push_back(whole->step());

    Training first(solver);
    for (int i = 0; i < 3; ++i) first->step();
    const std::string state = first->snapshot();
    const std::vector<float> left = first.state();

    Training second(solver, resuming(state));
    EXPECT_EQ(second->iteration(), 3);
    EXPECT_EQ(second.state(), left);
    for (int i = 3; i < 6; ++i) EXPECT_EQ(second->step(), losses[i]);
    EXPECT_EQ(second.state(), whole.state());
  }
}

TEST(Snapshot, TheMeanOfTheLastLossesGoesOn) {
  for (const std::string format : kFormats) {
    const std::string solver = solver_text(test_folder()) + "average_loss: 3 snapshot: 1 " + format;
    Training whole(solver);
    ASSERT_TRUE(whole->solve());
    for (const int start : {1, 2, 4}) {
      const std::string state = whole.listener.snapshots[start - 1];
      Training second(solver, resuming(state));
      ASSERT_TRUE(second->solve());
      ASSERT_EQ(second.listener.reports.size(), 6u - start);
      for (int i = start; i < 6; ++i)
        EXPECT_EQ(second.listener.reports[i - start].loss, whole.listener.reports[i].loss);
    }
  }
}

TEST(Snapshot, AveragesGoOnBitForBitToo) {
  for (const std::string format : kFormats) {
    const std::string solver = solver_text(test_folder()) + "ema_decay: 0.9 " + format;
    Training whole(solver), first(solver);
    for (int i = 0; i < 6; ++i) whole->step();
    for (int i = 0; i < 3; ++i) first->step();
    const std::string state = first->snapshot();
    EXPECT_NE(read_file(averages_of(state)), read_file(weights_of(state)));
    Training second(solver, resuming(state));
    EXPECT_EQ(second.listener.notes.find("averages"), std::string::npos) << second.listener.notes;
    // What was averaged before the resume, and after it.
    const std::string before = read_file(averages_of(state)), statistics = read_file(state);
    EXPECT_EQ(read_file(averages_of(second->snapshot())), before);
    EXPECT_EQ(read_file(state), statistics);
    for (int i = 3; i < 6; ++i) second->step();
    EXPECT_EQ(second.state(), whole.state());
    const std::string resumed = second->snapshot(), averages = read_file(averages_of(resumed)),
                      end = read_file(resumed);
    const std::string uninterrupted = whole->snapshot();
    EXPECT_EQ(uninterrupted, resumed);
    EXPECT_EQ(averages, read_file(averages_of(uninterrupted)));
    EXPECT_EQ(end, read_file(uninterrupted));
  }
}

TEST(Snapshot, IsNoneWithoutItsAverages) {
  for (const std::string format : kFormats) {
    const std::string solver = solver_text(test_folder()) + "ema_decay: 0.9 " + format;
    Training run(solver);
    run->step();
    const std::string older = run->snapshot();
    run->step();
    const std::string state = run->snapshot(), averages = averages_of(state),
                      good = read_file(averages);
    EXPECT_EQ(resume_error(solver, state), "");
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    write_file(averages, bad);
    EXPECT_NE(resume_error(solver, state).find(averages + ": is damaged"), std::string::npos);
    std::filesystem::remove(averages);
    EXPECT_NE(resume_error(solver, state).find(averages), std::string::npos);
    EXPECT_EQ(Training(solver, resuming("auto"))->iteration(), 1);
  }
}

TEST(Snapshot, AveragesMayBeginAndEndWithAResume) {
  const std::string plain = solver_text(test_folder()), averaged = plain + "ema_decay: 0.9 ";
  Training run(plain);
  run->step();
  const std::string without = run->snapshot();
  EXPECT_FALSE(std::filesystem::exists(averages_of(without)));
  Training begun(averaged, resuming(without));
  EXPECT_NE(begun.listener.notes.find("holds no averages"), std::string::npos);
  EXPECT_EQ(begun.state(), run.state());
  begun->step();
  const std::string with = begun->snapshot();
  Training ended(plain, resuming(with));
  EXPECT_NE(ended.listener.notes.find("holds averages, which end here"), std::string::npos);
  EXPECT_EQ(ended.state(), begun.state());
}

TEST(Snapshot, KeepsTheSeed) {
  const std::string solver = solver_text(test_folder());
  Training first(solver);
  first->step();
  first->snapshot();
  first->step();
  Training second(solver + "param_rule { name: 'none' } ", resuming("auto"));
  EXPECT_EQ(second->parameters().seed(), 7u);
  second->step();
  EXPECT_EQ(second.state(), first.state());
}

// Parameters and momenta are float32 in either.
TEST(Snapshot, ARunGoesOnInTheOtherPrecisionAndSaysSo) {
  if (test_device()->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this processor";
  const std::string solver = solver_text(test_folder());
  Training first(solver);
  first->step();
  const std::string state = first->snapshot();
  const std::vector<float> left = first.state();
  Training narrow(solver + "precision: BF16 ", resuming(state));
  EXPECT_EQ(narrow.state(), left);
  EXPECT_NE(narrow.listener.notes.find(", BF16: the run goes on, but not with the same bits"),
            std::string::npos)
      << narrow.listener.notes;
  narrow->step();
  const std::string back = narrow->snapshot();
  Training wide(solver, resuming(back));
  EXPECT_EQ(wide.state(), narrow.state());
  EXPECT_NE(wide.listener.notes.find(", BF16, this is"), std::string::npos);
  wide->step();
}

TEST(Snapshot, SaysThatTheMachineChanged) {
  if (test_device()->is_cuda()) GTEST_SKIP() << "threads are the CPU's";
  const std::string solver = solver_text(test_folder());
  Training first(solver);
  first->step();
  const std::string state = first->snapshot();
  EXPECT_EQ(Training(solver, resuming(state)).listener.notes.find("same bits"), std::string::npos);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads + 1);
  const std::string notes = Training(solver, resuming(state)).listener.notes;
  omp_set_num_threads(threads);
  EXPECT_NE(notes.find(text(threads, " thread")), std::string::npos) << notes;
  EXPECT_NE(notes.find(text(threads + 1, " thread")), std::string::npos) << notes;
}

TEST(Snapshot, AutoFindsTheNewestWholeOne) {
  const std::string solver = solver_text(test_folder());
  Training run(solver, resuming("auto"));
  EXPECT_EQ(run->iteration(), 0);
  run->step();
  run->step();
  run->snapshot();
  for (int i = 2; i < 10; ++i) run->step();
  const std::string tenth = run->snapshot();
  EXPECT_EQ(Training(solver, resuming("auto"))->iteration(), 10);  // not sorted as text
  write_file(weights_of(tenth), read_file(weights_of(tenth)).substr(0, 100));
  EXPECT_EQ(Training(solver, resuming("auto"))->iteration(), 2);
}

TEST(Snapshot, AutoNamesWhatItPassesOver) {
  const std::string folder = test_folder(), solver = solver_text(folder);
  Training run(solver);
  run->step();
  run->snapshot();
  run->step();
  const std::string damaged = run->snapshot();
  std::string content = read_file(damaged);
  content.back() ^= 1;
  write_file(damaged, content);
  SolverState state;
  state.set_iter(9);
  state.set_learned_net(std::string(4000, 'x'));  // longer than a file system allows
  write_file(folder + "run_iter_9.solverstate", state.SerializeAsString());
  write_file(folder + "run_iter_1e9.solverstate", "of another prefix");
  const Training resumed(solver, resuming("auto"));
  EXPECT_EQ(resumed->iteration(), 1);
  const std::string& notes = resumed.listener.notes;
  const size_t ninth = notes.find("passed over a newer snapshot: " + folder + "run_iter_9."),
               second = notes.find("passed over a newer snapshot: " + damaged + ": is damaged");
  EXPECT_LT(ninth, second) << notes;
  EXPECT_NE(second, std::string::npos) << notes;
}

// Caffe asks for its blobs by number.
TEST(Snapshot, HoldsCaffesNamesAsHdf5) {
  Training run(solver_text(test_folder()) + kFormats[1]);
  const std::string state = run->snapshot();
  EXPECT_TRUE(state.ends_with("run_iter_0.solverstate.h5")) << state;
  const TensorFileReader weights(weights_of(state)), history(state);
  EXPECT_EQ(weights.names("/data/bn"),
            (std::vector<std::string>{"/data/bn/0", "/data/bn/1", "/data/bn/2"}));
  EXPECT_EQ(weights.shape("/data/conv2/0"), (Shape{4, 4, 1, 1}));
  EXPECT_EQ(history.names("/history").size(), weights.names("/data").size());
  EXPECT_EQ(history.read_text("/learned_net"), weights_of(state));
}

TEST(Snapshot, NumbersThatAreNotFiniteAreNotWritten) {
  const std::string solver = solver_text(test_folder());
  for (const auto& [layer, name] : {std::pair("bn2", "variance"), std::pair("conv2", "weight")}) {
    Training run(solver);
    const std::string state = run->snapshot(), good = read_file(state);
    Parameter* parameter = run->parameters().find(layer, name);
    run->parameters().write(*parameter, std::vector<float>(parameter->value.count(), INFINITY));
    const std::string message = error_of([&] { run->snapshot(); });
    EXPECT_NE(message.find(text("layer \"", layer, "\"")), std::string::npos) << message;
    EXPECT_NE(message.find(state + ", is untouched"), std::string::npos) << message;
    EXPECT_EQ(read_file(state), good);
    EXPECT_EQ(resume_error(solver, state), "");
  }
}

// Every length and byte of a state: solver_state_test.cpp.
TEST(Snapshot, DamageIsAnError) {
  for (const std::string format : kFormats) {
    const std::string solver = solver_text(test_folder()) + format;
    Training run(solver);
    run->step();
    const std::string state = run->snapshot(), weights = weights_of(state);
    EXPECT_EQ(resume_error(solver, state), "");
    for (const std::string& damaged : {state, weights}) {
      const std::string good = read_file(damaged);
      for (size_t length : {size_t{0}, size_t{10}, good.size() / 2, good.size() - 1}) {
        write_file(damaged, good.substr(0, length));
        const std::string message = resume_error(solver, state);
        EXPECT_NE(message.find(damaged), std::string::npos) << length << ": " << message;
      }
      for (size_t at = 0; at < good.size(); at += good.size() / 11) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        write_file(damaged, bad);
        EXPECT_NE(resume_error(solver, state), "") << damaged << " byte " << at;
      }
      write_file(damaged, good);
    }
    std::filesystem::remove(weights);
    EXPECT_NE(resume_error(solver, state).find(weights), std::string::npos);
  }
  const std::string solver = solver_text(test_folder());
  EXPECT_NE(resume_error(solver, "no_such.solverstate").find("no_such.solverstate"),
            std::string::npos);
}

TEST(Snapshot, WeightsAreNoState) {
  const std::string solver = solver_text(test_folder());
  Training run(solver);
  const std::string state = run->snapshot();
  const std::string message = resume_error(solver, weights_of(state));
  EXPECT_NE(message.find("--weights"), std::string::npos) << message;
}

TEST(Snapshot, ANetThatDoesNotFitIsAnError) {
  std::string solver = solver_text(test_folder());
  Training run(solver);
  const std::string state = run->snapshot();
  solver.replace(solver.find("num_output: 3"), 13, "num_output: 5");
  EXPECT_NE(resume_error(solver, state).find("ip"), std::string::npos);
}

// Caffe's own files: as it wrote them, and as its BINARYPROTO format would hold the same.
TEST(Snapshot, CaffesOwnFilesAreRestored) {
  for (const std::string name : {"snap_sgd_hdf5", "snap_shared_hdf5"}) {
    const std::string folder = test_folder();
    const std::string golden = source_file("tests/golden/caffe/solver/" + name + "/");
    const TensorFileReader data(golden + "data.h5");
    write_file(folder + "snap_iter_6.caffemodel",
               caffe_model(golden + "snap_iter_6.caffemodel.h5"));
    write_file(folder + "snap_iter_6.solverstate",
               caffe_state(golden + "snap_iter_6.solverstate.h5"));

    for (const std::string& state :
         {folder + "snap_iter_6.solverstate", golden + "snap_iter_6.solverstate.h5"}) {
      SolverOptions options;
      options.snapshot = state;
      options.feed = [&](Net& net, int64_t pass) {
        for (const Net::Blob& input : net.inputs()) {
          const std::vector<float> stack = data.read("/in/" + input.name);
          const auto first = stack.begin() + pass % 3 * input.shape.count();
          net.set(input.name, {first, first + input.shape.count()});
        }
      };
      Training run(SolverSpec::read(golden + "solver.prototxt"), options);
      EXPECT_EQ(run->iteration(), 6);
      while (run->iteration() < 12) run->step();
      for (const auto& parameter : run->parameters().all()) {
        const std::string blob = text("/final/", parameter->layer, "/", parameter->index);
        const std::vector<float> wanted = data.read(blob);
        EXPECT_LE(largest_difference(run->parameters().read(*parameter), wanted),
                  2e-5 * largest(wanted) + data.number(blob, "dbl_maxdiff"))
            << name << " " << blob;
      }
    }
  }
}

// The second numbers of all parameters stand behind the first ones of all.
TEST(Snapshot, HoldsTwoHistoriesInCaffesOrder) {
  for (const std::string name : {"adam", "adadelta_wd_lr"}) {
    const std::string folder = test_folder() + name + "_";
    const std::string golden = source_file("tests/golden/caffe/solver/" + name + "/");
    const TensorFileReader data(golden + "data.h5");
    TensorFileWriter weights, caffes;
    for (const std::string& blob : data.names("/final"))
      weights.write("/data" + blob.substr(6), data.shape(blob), data.read(blob));
    weights.save(folder + "snap.caffemodel.h5");
    caffes.write_integer("/iter", 12, {1});
    caffes.write_integer("/current_step", 0, {1});
    caffes.write_text("/learned_net", name + "_snap.caffemodel.h5");
    const size_t blobs = data.names("/history").size();
    for (size_t i = 0; i < blobs; ++i) {
      const std::string blob = text("/history/", i);
      caffes.write(blob, data.shape(blob), data.read(blob));
    }
    caffes.save(folder + "snap.solverstate.h5");

    std::string solver = read_file(golden + "solver.prototxt");
    solver.replace(solver.find("\"snap\""), 6, "\"" + folder + "run\" snapshot_format: HDF5");
    Training run(SolverSpec::parse(solver, golden + "solver.prototxt"),
                 resuming(folder + "snap.solverstate.h5"));
    EXPECT_EQ(run->iteration(), 12);
    size_t index = 0;
    for (int block = 0; block < run->histories(); ++block)
      for (const auto& parameter : run->parameters().all())
        EXPECT_EQ(run->history(*parameter, block), data.read(text("/history/", index++)));
    EXPECT_EQ(index, blobs);
    const TensorFileReader ours(run->snapshot());
    EXPECT_EQ(ours.names("/history").size(), blobs);
    for (size_t i = 0; i < blobs; ++i)
      EXPECT_EQ(ours.read(text("/history/", i)), data.read(text("/history/", i)));
  }
}

TEST(Snapshot, OfASolverThatRemembersLessIsAnError) {
  const std::string solver = solver_text(test_folder());
  Training run(solver);
  EXPECT_NE(
      resume_error(solver + "type: 'Adam' ", run->snapshot())
          .find("of each of which its solver remembers 2; it belongs to another net or solver"),
      std::string::npos);
}

}  // namespace
}  // namespace orepa
