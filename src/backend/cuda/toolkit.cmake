# The CUDA Toolkit, and how sources become CUDA (-DOREPA_CUDA=ON).
if(NOT NVCC)
  message(FATAL_ERROR "OREPA_CUDA needs nvcc of the CUDA Toolkit, which is not found")
endif()
set(CMAKE_CUDA_COMPILER ${NVCC})
set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
enable_language(CUDA)
# CMake 3.25 predates C++20 in nvcc.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
find_package(CUDAToolkit 13 REQUIRED)
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR} REQUIRED)
find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
find_path(NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)  # the library is loaded, not linked

include(${CMAKE_CURRENT_LIST_DIR}/functors.cmake)

# Compiles the functors of a target with nvcc, for the processor and for the device. Warnings are errors, but for those
# of ptxas, which tells of registers that a kernel spills.
function(compile_functors_as_cuda target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  find_functors(functors ${sources})
  set_source_files_properties(${functors} PROPERTIES LANGUAGE CUDA)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcudafe=--promote_warnings
    -Xcompiler=-Werror,-fopenmp -Xptxas=-warn-spills>)
endfunction()

# Puts what calls cuBLAS and cuDNN into a shared object, which make_device() loads where a GPU is asked
# for. What that needs of `target`, kernels among it, the program gives it.
function(separate_cuda_libraries target)
  get_target_property(sources ${target} SOURCES)
  set(libraries ${sources})
  list(FILTER libraries INCLUDE REGEX "/src/backend/cuda/(libraries|cudnn_.*)\\.cpp$")
  list(REMOVE_ITEM sources ${libraries})
  set_target_properties(${target} PROPERTIES SOURCES "${sources}")
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUDNN_INCLUDE} ${NCCL_INCLUDE})
  target_link_libraries(${target} PUBLIC CUDA::cudart_static ${CMAKE_DL_LIBS})
  target_link_options(${target} PUBLIC -rdynamic)

  add_library(orepa_cuda SHARED ${libraries})
  target_compile_options(orepa_cuda PRIVATE ${OWN_CODE_OPTIONS})
  target_include_directories(orepa_cuda PRIVATE include src)
  target_include_directories(orepa_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${CUDNN_INCLUDE})
  target_link_libraries(orepa_cuda PRIVATE CUDA::cublas ${CUDNN_LIBRARY})
  add_dependencies(${target} orepa_cuda)
endfunction()
