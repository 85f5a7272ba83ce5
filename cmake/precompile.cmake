# Half of what the compiler reads of a source are headers of the standard library and GoogleTest. They are
# precompiled once per kind of target; HEADWATER_PCH=OFF, and the fuzz preset, compile without.
set(headwater_std_headers
  <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <memory_resource> <mutex> <optional>
  <span> <string> <string_view> <unordered_map> <utility> <vector>)

# headwater_precompile(<target> room|test): a target of that kind compiles against the kind's headers.
function(headwater_precompile target kind)
  if(NOT HEADWATER_PCH OR HEADWATER_FUZZ OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    return()
  endif()
  set(owner headwater_precompiled_${kind})
  if(NOT TARGET ${owner})
    file(WRITE ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp "")
    if(kind STREQUAL "test")
      # As a program: its code is compiled for one (-fPIE), and so must be what it reuses.
      add_executable(${owner} ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp)
      target_link_libraries(${owner} PRIVATE GTest::gtest_main GTest::gmock)
      target_precompile_headers(${owner} PRIVATE ${headwater_std_headers} <gmock/gmock.h> <gtest/gtest.h>)
    else()
      add_library(${owner} STATIC ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp)
      target_precompile_headers(${owner} PRIVATE ${headwater_std_headers})
    endif()
    target_link_libraries(${owner} PRIVATE headwater_flags)
    target_compile_options(${owner} PRIVATE ${ARGN})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
  # GCC 12 forgets that what it reads from there is the system's, and then tells what it takes for an
  # error inside std::string.
  target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endfunction()
