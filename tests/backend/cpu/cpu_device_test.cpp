#include <omp.h>

#include <cstdint>
#include <string>

#include "backend/cpu/instruction_set.h"
#include "orepa/error.h"
#include "tests/backend/cpu/numbers.h"
#include "tests/comparison.h"

namespace orepa {
namespace {

TEST(CpuDevice, SaysWhatResultsDependOn) {
  const std::string description = make_device("cpu")->description();
  EXPECT_EQ(description.rfind("cpu ", 0), 0u) << description;
  EXPECT_NE(description.find(" thread"), std::string::npos) << description;
}

TEST(CpuDevice, AlignsMemory) {
  const auto device = make_device("cpu");
  for (const int64_t bytes : {1, 64, 1000, 3 << 20}) {
    const DeviceMemory memory(*device, bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 64, 0u) << bytes;
  }
}

TEST(CpuDevice, RefusesMoreMemoryThanThereIs) {
  const auto device = make_device("cpu");
  for (const int64_t bytes : {int64_t{1} << 46, INT64_MAX}) try {
      device->allocate(bytes);
      ADD_FAILURE() << bytes << " bytes were promised";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(text(bytes >> 20, " MiB")), std::string::npos)
          << error.what();
    }
}

TEST(CpuDevice, CopiesAndZeroesToTheLastByte) {
  const auto device = make_device("cpu");
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{1} << 19}) {
    const Values numbers = random_numbers(count + 1, "copy");
    const int64_t bytes = count * static_cast<int64_t>(sizeof(float)) + 1;
    const Buffer a(*device, bytes), b(*device, bytes);
    Values back(numbers.size());
    device->copy_to_device(a.data(), numbers.data(), bytes);
    device->copy(b.data(), a.data(), bytes);
    device->copy_to_host(back.data(), b.data(), bytes);
    EXPECT_EQ(std::memcmp(back.data(), numbers.data(), static_cast<size_t>(bytes)), 0);
    device->zero(b.data(), bytes);
    device->copy_to_host(back.data(), b.data(), bytes);
    const std::vector<char> zeros(static_cast<size_t>(bytes), 0);
    EXPECT_EQ(std::memcmp(back.data(), zeros.data(), zeros.size()), 0);
  }
}

struct Size {
  int64_t m, n, k;
};

TEST(CpuDevice, MultipliesMatrices) {
  const auto device = make_device("cpu");
  for (const Size size : {Size{1, 1, 1}, Size{5, 7, 3}, Size{1, 40, 17}, Size{64, 48, 200}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true})
        for (const float beta : {0.0f, 0.5f}) {
          Gemm g{.transpose_a = transpose_a,
                 .transpose_b = transpose_b,
                 .m = size.m,
                 .n = size.n,
                 .k = size.k,
                 .alpha = 1.5f,
                 .beta = beta};
          g.lda = (transpose_a ? g.m : g.k) + 2;
          g.ldb = (transpose_b ? g.k : g.n) + 3;
          g.ldc = g.n + 1;
          const Values a = random_numbers(g.lda * (transpose_a ? g.k : g.m), "a");
          const Values b = random_numbers(g.ldb * (transpose_b ? g.n : g.k), "b");
          const Values before = random_numbers(g.ldc * g.m, "c");
          std::vector<double> want(before.begin(), before.end());
          const Buffer ba(*device, a), bb(*device, b), c(*device, before);
          for (int64_t i = 0; i < g.m; ++i)
            for (int64_t j = 0; j < g.n; ++j) {
              double sum = 0;
              for (int64_t l = 0; l < g.k; ++l)
                sum += double{a[transpose_a ? l * g.lda + i : i * g.lda + l]} *
                       b[transpose_b ? j * g.ldb + l : l * g.ldb + j];
              const int64_t at = i * g.ldc + j;
              want[at] = g.alpha * sum + beta * before[at];
              // Without beta, what C held before does not matter.
              if (beta == 0) c.data()[at] = NAN;
            }
          g.a = ba.data();
          g.b = bb.data();
          g.c = c.data();
          device->gemm(g);
          expect_close(c.values(), want, 1e-6, "c");  // sums of at most 200 products
        }
}

// Rows and columns beside and between the pieces that x W^T is taken in.
TEST(CpuDevice, MultipliesFewRowsToTheSameBitsOnAnyNumberOfThreads) {
  const auto device = make_device("cpu");
  const int threads = omp_get_max_threads();
  for (const int64_t m : {1, 7, 8, 9, 16, 20, 48, 49})
    for (const int64_t k : {10, 9000}) {
      const int64_t n = k == 10 ? 7000 : 21;
      const Values a = random_numbers(m * k, "a"), b = random_numbers(n * k, "b");
      const Values before = random_numbers(m * n, "c");
      const Buffer ba(*device, a), bb(*device, b);
      std::vector<double> want(before.begin(), before.end());
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t l = 0; l < k; ++l) want[i * n + j] += double{a[i * k + l]} * b[j * k + l];
      Values results[3];
      for (const int count : {1, 2, 3}) {
        omp_set_num_threads(count);
        const Buffer c(*device, before);
        device->gemm({.transpose_b = true,
                      .m = m,
                      .n = n,
                      .k = k,
                      .a = ba.data(),
                      .lda = k,
                      .b = bb.data(),
                      .ldb = k,
                      .beta = 1,
                      .c = c.data(),
                      .ldc = n});
        results[count - 1] = c.values();
      }
      omp_set_num_threads(threads);
      SCOPED_TRACE(text(m, " x ", n, " x ", k));
      // A rounding is 6e-8, and 9,000 of them in a random direction are about 95 in one.
      expect_close(results[0], want, 6e-6, "c");
      if (cpu::instruction_set() == cpu::InstructionSet::kAvx512 && m <= 48) {
        EXPECT_EQ(results[0], results[1]);
        EXPECT_EQ(results[0], results[2]);
      }
    }
}

TEST(CpuDevice, MultipliesToTheSameBitsTwice) {
  const auto device = make_device("cpu");
  const int64_t m = 40, n = 24, k = 5000;  // a long sum, which threads might share
  const Buffer a(*device, random_numbers(m * k, "a")), b(*device, random_numbers(k * n, "b"));
  Values results[2];
  for (Values& result : results) {
    const Buffer c(*device, m * n * static_cast<int64_t>(sizeof(float)));
    device->gemm({.m = m,
                  .n = n,
                  .k = k,
                  .a = a.data(),
                  .lda = k,
                  .b = b.data(),
                  .ldb = n,
                  .c = c.data(),
                  .ldc = n});
    result = c.values();
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace orepa
