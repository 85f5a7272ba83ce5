# Compiler and linker flags of our own code. Third-party headers are SYSTEM and stay silent.
add_library(headwater_flags INTERFACE)
target_include_directories(headwater_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(headwater_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough)
# What some libraries ask for is asked for everywhere: else what is precompiled would not fit all.
target_compile_options(headwater_flags INTERFACE -pthread)
target_compile_definitions(headwater_flags INTERFACE _FILE_OFFSET_BITS=64)
if(HEADWATER_WERROR)
  target_compile_options(headwater_flags INTERFACE -Werror)
endif()

add_compile_options(-fstack-protector-strong)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-fcf-protection)
endif()
add_link_options(-Wl,-z,relro,-z,now)

if(HEADWATER_SANITIZE)
  add_compile_options(-fsanitize=${HEADWATER_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HEADWATER_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

if(HEADWATER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Depend mode: no run of the preprocessor before the compiler's own. The rest is what ccache asks
  # for beside precompiled headers (ccache(1), "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
